import Model

/// An app's `manifest.json`: its settings besides its files.
package struct Manifest: Hashable, Sendable {
    /// Units to enable and keep running.
    package var units: [UnitName] = []
    /// Symlinks on the host, from their path to the file or directory in the app, ordered by path.
    package var symlinks: [Symlink] = []
    /// Regular files on the host, ordered by path.
    package var copies: [Copy] = []
    /// How long the units have to stay up once started; nil for a moment if systemd cannot tell when they are ready.
    package var settle: Duration?
    /// How long systemd may take to start or stop one of the units.
    package var timeout = Duration.seconds(90)

    /// Who can read the app's files on the host.
    package var readers = Readers.everybody

    package enum Readers: Hashable, Sendable {
        case everybody, root
        /// And root.
        case group(GroupName)
    }

    package struct Copy: Hashable, Sendable {
        package var path: AbsolutePath
        package var source: RelativePath
        package var access: FileAccess
    }

    package struct Symlink: Hashable, Sendable {
        package var path: AbsolutePath
        package var source: RelativePath
    }

    /// What units do when files change, ordered by unit.
    package var onChange: [OnChange] = []

    /// Commands that judge the app's files before anything changes, in order.
    package var checks: [Check] = []
    /// The time that one of them may take.
    package var checkTimeout = Duration.seconds(30)
    /// Questions that the services have to answer before a deploy is done, in order.
    package var probes: [Probe] = []

    package static let fileName = "manifest.json"

    package init() {}

    package init(parsing bytes: [UInt8]) throws(FormatError) {
        self.init()
        var (isPrivate, group): (Bool, (name: GroupName, line: Int)?) = (false, nil)
        for (key, value) in try FormatError.object(bytes) {
            switch key {
            case "systemd": try readSystemd(value)
            case "symlinks": try readSymlinks(value)
            case "copies": try readCopies(value)
            case "settle": settle = try .seconds(Self.number(value, key, "a number of seconds from 0 to 3600") { 0...3600 ~= $0 })
            case "timeout":
                timeout = try .seconds(
                    Self.number(value, key, "a whole number of seconds from 1 to 86400") { 1...86400 ~= $0 && $0 == $0.rounded() })
            case "checks": checks = try Self.readChecks(value)
            case "check_timeout":
                checkTimeout = try .seconds(
                    Self.number(value, key, "a whole number of seconds from 1 to 3600") { 1...3600 ~= $0 && $0 == $0.rounded() })
            case "health": probes = try Self.readProbes(value)
            case "private":
                guard case .bool(let value) = value.value else {
                    throw .wrongType(key, line: value.line, expected: "true or false", found: value.kind)
                }
                isPrivate = value
            case "group":
                guard case .string(let text) = value.value else {
                    throw .wrongType(key, line: value.line, expected: "a group's name", found: value.kind)
                }
                guard let name = GroupName(text) else { throw .badGroup(text, line: value.line) }
                group = (name, value.line)
            default:
                let known = ["systemd", "symlinks", "copies", "settle", "timeout", "checks", "check_timeout", "health", "private", "group"]
                throw .unknownKey(key, line: value.line, known: known)
            }
        }
        if let group {
            guard isPrivate else { throw .groupOfPublic(line: group.line) }
            readers = .group(group.name)
        } else if isPrivate {
            readers = .root
        }
    }

    static func number(
        _ json: JSON, _ key: String, _ expected: String, isValid: (Double) -> Bool
    ) throws(FormatError) -> Double {
        guard case .number(let text) = json.value, let number = Double(text), isValid(number) else {
            let found = if case .number(let text) = json.value { text } else { json.kind }
            throw .wrongType(key, line: json.line, expected: expected, found: found)
        }
        return number
    }

    private mutating func readSystemd(_ json: JSON) throws(FormatError) {
        for (key, value) in try FormatError.object(json, named: "systemd") {
            if key == "on_change" {
                onChange = try OnChange.parse(value).sorted { $0.unit < $1.unit }
                continue
            }
            guard key == "units_enabled" else {
                throw .unknownKey("systemd." + key, line: value.line, known: ["systemd.units_enabled", "systemd.on_change"])
            }
            guard case .array(let elements) = value.value else {
                throw .wrongType("systemd.units_enabled", line: value.line, expected: "a list", found: value.kind)
            }
            for element in elements {
                guard case .string(let text) = element.value else {
                    throw .wrongType("systemd.units_enabled", line: element.line, expected: "unit names", found: element.kind)
                }
                if let kind = UnitKind(unstartable: text) { throw .unstartable(text, line: element.line, kind) }
                guard let unit = UnitName(text) else { throw .badUnit(text, line: element.line) }
                guard !units.contains(unit) else { throw .duplicate("the unit " + text, line: element.line) }
                units.append(unit)
            }
        }
        units.sort()
    }

    private mutating func readSymlinks(_ json: JSON) throws(FormatError) {
        for (key, value) in try FormatError.object(json, named: "symlinks") {
            guard case .string(let text) = value.value else {
                throw .wrongType("symlinks.\(key)", line: value.line, expected: "a path in the app", found: value.kind)
            }
            let path: AbsolutePath
            let source: RelativePath
            do { path = try AbsolutePath(key) } catch { throw .badLink(key, line: value.line, error) }
            do { source = try RelativePath(text) } catch { throw .badSource(text, line: value.line, error) }
            symlinks.append(Symlink(path: path, source: source))
        }
        symlinks.sort { $0.path < $1.path }
    }

    private mutating func readCopies(_ json: JSON) throws(FormatError) {
        for (key, value) in try FormatError.object(json, named: "copies") {
            let path: AbsolutePath
            do { path = try AbsolutePath(key) } catch { throw .badLink(key, line: value.line, error) }
            var (source, access): (RelativePath?, FileAccess) = (nil, .ordinary)
            switch value.value {
            case .string(let text): source = try Self.source(text, value)
            case .object:
                for (name, value) in try FormatError.object(value, named: "copies.\(key)") {
                    guard case .string(let text) = value.value else {
                        throw .wrongType("copies.\(key).\(name)", line: value.line, expected: "a string", found: value.kind)
                    }
                    switch name {
                    case "source": source = try Self.source(text, value)
                    case "mode": access.mode = try Self.mode(text, "copies.\(key).mode", value)
                    case "owner":
                        guard let user = UserName(text) else { throw .badUser(text, line: value.line) }
                        access.owner = text == "root" ? nil : user
                    case "group":
                        guard let group = GroupName(text) else { throw .badGroup(text, line: value.line) }
                        access.group = text == "root" ? nil : group
                    default:
                        throw .unknownKey("copies.\(key).\(name)", line: value.line, known: ["source", "mode", "owner", "group"])
                    }
                }
            default:
                throw .wrongType("copies.\(key)", line: value.line, expected: "a path in the app or an object", found: value.kind)
            }
            guard let source else { throw .missingKey("copies.\(key).source", line: value.line) }
            copies.append(Copy(path: path, source: source, access: access))
        }
        copies.sort { $0.path < $1.path }
    }

    private static func source(_ text: String, _ json: JSON) throws(FormatError) -> RelativePath {
        do { return try RelativePath(text) } catch { throw .badSource(text, line: json.line, error) }
    }

    /// Three or four octal digits, as chmod(1) takes them.
    private static func mode(_ text: String, _ key: String, _ json: JSON) throws(FormatError) -> UInt32 {
        guard 3...4 ~= text.utf8.count, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "7") ~= $0 }),
            let mode = UInt32(text, radix: 8)
        else { throw .wrongType(key, line: json.line, expected: "three or four octal digits, such as \"0640\"", found: "\"\(text)\"") }
        return mode
    }
}

/// A host's own `host.json`.
package struct HostOptions: Hashable, Sendable {
    /// The hostname in the host's `/etc/hostname`, if it differs from the name of its directory.
    package var hostname: String?

    package static let fileName = "host.json"

    package init() {}

    package init(parsing bytes: [UInt8]) throws(FormatError) {
        self.init()
        for (key, value) in try FormatError.object(bytes) {
            guard key == "hostname" else { throw .unknownKey(key, line: value.line, known: ["hostname"]) }
            guard case .string(let text) = value.value else {
                throw .wrongType(key, line: value.line, expected: "a string", found: value.kind)
            }
            hostname = text
        }
    }
}

/// Kinds of units that may exist but cannot be enabled and started by name.
package enum UnitKind: Hashable, Sendable {
    /// `work@.service`. Even with `DefaultInstance=`, which `systemctl enable` honours, only an instance can start.
    case template
    /// An instance of a type whose names encode a path or place, and so has no templates (systemd.mount(5),
    /// systemd.slice(5)).
    case instance(type: String)
    /// The root directory's mount and the root slice.
    case root
    case device, scope

    init?(unstartable name: String) {
        if name.hasSuffix(".device") {
            self = .device
            return
        }
        if name.hasSuffix(".scope") {
            self = .scope
            return
        }
        if ["-.mount", "-.slice"].contains(name) {
            self = .root
            return
        }
        guard let unit = UnitName(name), unit.template.contains("@") else { return nil }
        if let type = [".mount", ".automount", ".swap", ".slice"].first(where: name.hasSuffix) {
            self = .instance(type: String(type.dropFirst()))
        } else if unit.template == name {
            self = .template
        } else {
            return nil
        }
    }

    func phrase(_ name: String) -> String {
        switch self {
        case .template:
            "'\(name)' is a template, which cannot run; list an instance of it, such as '"
                + name.replacing("@.", with: "@1.", maxReplacements: 1) + "'"
        case .instance(let type): "'\(name)' cannot exist: a unit of the type '\(type)' is never made from a template"
        case .root: "'\(name)' is always there, and cannot be enabled; take it out of the list"
        case .device: "'\(name)' comes and goes with the device, and cannot be enabled; list a unit that binds to it"
        case .scope: "'\(name)' is made by a program for its processes, and cannot be enabled; list a service instead"
        }
    }
}

/// Why a `manifest.json` or `host.json` is invalid.
package enum FormatError: Error, Hashable, Sendable {
    case syntax(line: Int, expected: String)
    /// The value of a key has the wrong type; nil for the whole file.
    case wrongType(String?, line: Int, expected: String, found: String)
    case unknownKey(String, line: Int, known: [String])
    case duplicate(String, line: Int)
    case badUnit(String, line: Int)
    /// A unit that cannot be enabled and started.
    case unstartable(String, line: Int, UnitKind)
    case badGroup(String, line: Int)
    case badUser(String, line: Int)
    case missingKey(String, line: Int)
    /// A group for an app that everybody can read anyway.
    case groupOfPublic(line: Int)
    /// The program of a check that is neither on the host nor in the app.
    case badProgram(String, line: Int)
    /// A check whose program is a file of the app that is missing or not executable.
    case noProgram(String, line: Int, isThere: Bool)
    /// A probe that makes no sense, and why.
    case badProbe(String, line: Int)
    /// A path in `on_change` that names no file.
    case badRule(String, line: Int)
    /// A unit in `on_change` without a rule.
    case noRules(String, line: Int)
    /// A rule for files that are neither in the config tree nor deployed.
    case ruleWithoutFile(String, line: Int)
    /// A rule that reloads a unit whose file has no means for it.
    case noReload(UnitName, line: Int)
    case badLink(String, line: Int, PathError)
    case badSource(String, line: Int, PathError)

    package var line: Int {
        switch self {
        case .syntax(let line, _), .wrongType(_, let line, _, _), .unknownKey(_, let line, _), .duplicate(_, let line),
            .badUnit(_, let line), .unstartable(_, let line, _), .badGroup(_, let line), .badUser(_, let line), .missingKey(_, let line),
            .groupOfPublic(let line), .badRule(_, let line), .noRules(_, let line), .ruleWithoutFile(_, let line), .noReload(_, let line),
            .badProgram(_, let line), .noProgram(_, let line, _), .badProbe(_, let line),
            .badLink(_, let line, _), .badSource(_, let line, _):
            line
        }
    }

    package var phrase: String {
        switch self {
        case .syntax(_, let expected): "not valid JSON: expected \(expected)"
        case .wrongType(let key, _, let expected, let found):
            "\(key.map { "'\($0)'" } ?? "the file") must be \(expected), not \(found)"
        case .unknownKey(let key, _, let known):
            "unknown key '\(key)'; " + (known.count == 1 ? "the only one is " : "there are ")
                + known.dropLast().map { "'\($0)'" }.joined(separator: ", ") + (known.count == 1 ? "" : " and ")
                + known.suffix(1).map { "'\($0)'" }.joined()
        case .duplicate(let what, _): "\(what) is there twice"
        case .badUnit(let name, _): "'\(name)' is no name of a systemd unit, such as 'nginx.service'"
        case .unstartable(let name, _, let kind): kind.phrase(name)
        case .badGroup(let name, _): "'\(name)' is no name of a group"
        case .badUser(let name, _): "'\(name)' is no name of a user"
        case .missingKey(let key, _): "'\(key)' is missing"
        case .groupOfPublic: "'group' says who else can read a private app, and this one is not: add \"private\": true"
        case .badProgram(let program, _):
            "'\(program)' is no program: write an absolute path, such as '/usr/sbin/nginx', or './' and a file of the app"
        case .noProgram(let program, _, isThere: true): "the check '\(program)' is not executable"
        case .noProgram(let program, _, _): "the app has no '\(program)' for the check"
        case .badProbe(let problem, _): problem
        case .badRule(let path, _):
            "'\(path)' is neither a file of an app nor a directory with a '/' at its end, such as 'conf/', './' or '../tls/'"
        case .noRules(let unit, _): "'systemd.on_change.\(unit)' has no rule; add 'reload', 'restart' or 'nothing' with a list of paths"
        case .ruleWithoutFile(let path, _): "'\(path)' matches no file, neither in the config tree nor of what is deployed"
        case .noReload(let unit, _):
            unit.text.hasSuffix(".service")
                ? "'\(unit.text)' cannot be reloaded: its unit file has neither 'ExecReload=' nor 'Type=notify-reload'"
                : "'\(unit.text)' cannot be reloaded: only services and mounts can"
        case .badLink(let path, _, let problem): "the link '\(path)' is not a path that Deptool takes: \(problem.phrase)"
        case .badSource(let path, _, let problem): "the link source '\(path)' is no path in the app: \(problem.phrase)"
        }
    }

    /// The members of the top-level object.
    static func object(_ bytes: [UInt8]) throws(FormatError) -> [(key: String, value: JSON)] {
        let json: JSON
        do { json = try JSON.parse(bytes) } catch { throw .syntax(line: error.line, expected: error.expected) }
        return try object(json, named: nil)
    }

    /// The members of an object, which is the value of the key `name`; nil for the whole file.
    static func object(_ json: JSON, named name: String?) throws(FormatError) -> [(key: String, value: JSON)] {
        guard case .object(let members) = json.value else {
            throw .wrongType(name, line: json.line, expected: "an object", found: json.kind)
        }
        var seen: Set<String> = []
        for (key, value) in members where !seen.insert(key).inserted { throw .duplicate("the key '\(key)'", line: value.line) }
        return members
    }
}
