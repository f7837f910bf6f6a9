import Model

/// An app's `manifest.json`: its settings besides its files.
package struct Manifest: Hashable, Sendable {
    /// Units to enable and keep running.
    package var units: [UnitName] = []
    /// Symlinks on the host, from their path to the file or directory in the app, ordered by path.
    package var symlinks: [Symlink] = []
    /// Regular files on the host, ordered by path.
    package var copies: [Copy] = []
    /// How long the units have to stay up once started; nil for a moment if systemd does not report readiness.
    package var settle: Duration?
    /// How long systemd may take to start or stop one of the units.
    package var timeout = Duration.seconds(90)

    /// The readers of the app's files on the host.
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

    /// The reactions of units to changed files, ordered by unit.
    package var onChange: [OnChange] = []

    /// Commands that judge the app's files before anything changes, in order.
    package var checks: [Check] = []
    /// The time that one of them may take.
    package var checkTimeout = Duration.seconds(30)
    /// Requirements on the host, checked before anything changes.
    package var requires: [Requirement] = []
    /// Questions that the services have to answer before a deploy is done, in order.
    package var health: [Health] = []
    package var probes: [Probe] { health.map(\.probe) }

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
            case "settle":
                settle = .wholeMilliseconds(
                    of: try Self.number(value, key, expected: "a number of seconds from 0 to 3600") { 0...3600 ~= $0 })
            case "timeout":
                timeout = try .seconds(
                    Self.number(value, key, expected: "a whole number of seconds from 1 to 86400") { 1...86400 ~= $0 && $0 == $0.rounded() }
                )
            case "checks": checks = try Self.readChecks(value)
            case "check_timeout":
                checkTimeout = try .seconds(
                    Self.number(value, key, expected: "a whole number of seconds from 1 to 3600") { 1...3600 ~= $0 && $0 == $0.rounded() })
            case "requires": requires = try Requirement.read(value)
            case "health": health = try Self.readHealth(value)
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
                let known = [
                    "systemd", "symlinks", "copies", "settle", "timeout", "checks", "check_timeout", "requires", "health", "private",
                    "group",
                ]
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
        _ json: JSON, _ key: String, expected: String, isValid: (Double) -> Bool
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
                    case "mode": access.mode = try Self.mode(text, of: "copies.\(key).mode", in: value)
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
    private static func mode(_ text: String, of key: String, in json: JSON) throws(FormatError) -> UInt32 {
        guard 3...4 ~= text.utf8.count, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "7") ~= $0 }),
            let mode = UInt32(text, radix: 8)
        else { throw .wrongType(key, line: json.line, expected: "three or four octal digits, such as \"0640\"", found: "\"\(text)\"") }
        return mode
    }
}

extension Duration {
    /// Seconds with a fraction, rounded to milliseconds: what goes to a host is the same when it is read again.
    static func wholeMilliseconds(of seconds: Double) -> Duration { .milliseconds(Int((seconds * 1000).rounded())) }
}
