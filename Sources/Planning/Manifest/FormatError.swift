import Model

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
    /// A program or package in `requires` with an impossible name.
    case badRequirement(String, isPackage: Bool, line: Int)
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
    case badIdentity(line: Int)

    package var line: Int {
        switch self {
        case .syntax(let line, _), .wrongType(_, let line, _, _), .unknownKey(_, let line, _), .duplicate(_, let line),
            .badUnit(_, let line), .unstartable(_, let line, _), .badGroup(_, let line), .badUser(_, let line), .missingKey(_, let line),
            .groupOfPublic(let line), .badRule(_, let line), .noRules(_, let line), .ruleWithoutFile(_, let line), .noReload(_, let line),
            .badProgram(_, let line), .noProgram(_, let line, _), .badProbe(_, let line), .badRequirement(_, _, let line),
            .badLink(_, let line, _), .badSource(_, let line, _), .badIdentity(let line):
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
        case .duplicate(let what, _): "\(what) is listed twice"
        case .badUnit(let name, _): "'\(name)' is not the name of a systemd unit, such as 'nginx.service'"
        case .unstartable(let name, _, let kind): kind.phrase(name)
        case .badGroup(let name, _): "'\(name)' is not the name of a group"
        case .badUser(let name, _): "'\(name)' is not the name of a user"
        case .missingKey(let key, _): "'\(key)' is missing"
        case .groupOfPublic: "'group' names further readers of a private app, and this one is not: add \"private\": true"
        case .badProgram(let program, _):
            "'\(program)' is not a program: write an absolute path, such as '/usr/sbin/nginx', or './' and a file of the app"
        case .noProgram(let program, _, isThere: true): "the check '\(program)' is not executable"
        case .noProgram(let program, _, _): "the app has no '\(program)' for the check"
        case .badProbe(let problem, _): problem
        case .badRequirement(let text, isPackage: true, _):
            "'\(text)' is not a package of Debian with a version, such as 'nginx' or 'nginx (>= 1.22)'"
        case .badRequirement(let text, _, _): "'\(text)' is not a program, such as 'rsync' or '/usr/bin/rsync'"
        case .badRule(let path, _):
            "'\(path)' is neither a file of an app nor a directory with a '/' at its end, such as 'conf/', './' or '../tls/'"
        case .noRules(let unit, _): "'systemd.on_change.\(unit)' has no rule; add 'reload', 'restart' or 'nothing' with a list of paths"
        case .ruleWithoutFile(let path, _): "'\(path)' matches no file, neither in the config tree nor of what is deployed"
        case .noReload(let unit, _):
            unit.text.hasSuffix(".service")
                ? "'\(unit.text)' cannot be reloaded: its unit file has neither 'ExecReload=' nor 'Type=notify-reload'"
                : "'\(unit.text)' cannot be reloaded: only services and mounts can"
        case .badLink(let path, _, let problem): "the link '\(path)' is not a valid path: \(problem.phrase)"
        case .badIdentity: "'identity' is not the public half of an ed25519 key, such as 'ssh-ed25519 AAAA…', without a comment"
        case .badSource(let path, _, let problem): "the link source '\(path)' is not a path in the app: \(problem.phrase)"
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
