import Model

/// A requirement of an app on its host: an entry of the manifest's `requires`.
package enum Requirement: Hashable, Sendable {
    /// A name that the shell finds in the PATH, or an absolute path.
    case program(String)
    /// An installed Debian package, with a relation to its version as in `Depends:` of Debian's packages.
    case package(String, relation: String?, version: String?)
    /// systemd runs, and has at least this version.
    case systemd(Int)

    package var phrase: String {
        switch self {
        case .program(let name): "program \(name)"
        case .package(let name, let relation?, let version?): "package \(name) (\(relation) \(version))"
        case .package(let name, _, _): "package \(name)"
        case .systemd(let version): "systemd \(version) or later"
        }
    }

    // MARK: On a host

    /// Prints a line for each of its arguments that the host lacks, and sets `r` to 1 then.
    ///
    /// Like ``HostFacts``, it contains no single quote, backslash or `!`, so that it goes through any login shell.
    private static let script = #"""
        r=0; while [ $# -gt 0 ]; do case $1 in \#
        program) command -v "$2" >/dev/null 2>&1 || { r=1; echo "there is no program $2"; } ;; \#
        systemd) v=$(systemctl --version 2>/dev/null | while read -r a b c; do echo "${b%%~*}"; break; done); \#
        [ -d /run/systemd/system ] || v=; [ "${v:-0}" -ge "$2" ] || { r=1; echo "systemd is ${v:-not there}, and has to be $2 or later"; } ;; \#
        *) s=$(dpkg -s "$2" 2>/dev/null); \#
        v=$(echo "$s" | while read -r k w; do if [ "$k" = Version: ]; then echo "$w"; break; fi; done); \#
        case $s in *" ok installed"*) [ -z "$3" ] || dpkg --compare-versions "$v" "$3" "$4" || { r=1; echo "the package $2 is $v, and has to be $3 $4"; } ;; \#
        *) r=1; if command -v dpkg >/dev/null; then echo "the package $2 is not installed"; else echo "the host has no dpkg, so nothing shows whether the package $2 is installed"; fi ;; \#
        esac ;; esac; shift 4; done
        """#

    private var words: [String] {
        switch self {
        case .program(let name): ["program", name, "", ""]
        case .package(let name, let relation, let version): ["package", name, relation ?? "", version ?? ""]
        case .systemd(let version): ["systemd", "\(version)", "", ""]
        }
    }

    private static var command: [String] { ["/bin/sh", "-c", script + "; exit $r", "requires"] }

    /// The command of a check.
    static func arguments(_ requirements: [Requirement]) -> [String] { command + requirements.flatMap(\.words) }

    /// The requirements of such a command; nil for other commands, also if a manifest's check resembles one.
    package static func parse(_ arguments: [String]) -> [Requirement]? {
        let (words, count) = (Array(arguments.dropFirst(4)), arguments.count - 4)
        guard count > 0, count % 4 == 0, Array(arguments.prefix(4)) == command else { return nil }
        let all = stride(from: 0, to: count, by: 4).compactMap { index -> Requirement? in
            let (name, relation, version) = (words[index + 1], words[index + 2], words[index + 3])
            return switch words[index] {
            case "program": Requirement(program: name)
            case "systemd": Int(name).map { .systemd($0) }
            default: Requirement(package: relation.isEmpty ? name : "\(name) (\(relation) \(version))")
            }
        }
        return self.arguments(all) == arguments ? all : nil
    }

    /// The same as a command for any login shell.
    package static func shellCommand(_ requirements: [Requirement]) -> String {
        "set -- " + requirements.flatMap(\.words).map { "\"\($0)\"" }.joined(separator: " ") + "; " + script
    }

    // MARK: Parsing

    /// The value of `requires`.
    static func read(_ json: JSON) throws(FormatError) -> [Requirement] {
        var all: [Requirement] = []
        for (key, value) in try FormatError.object(json, named: "requires") {
            if key == "systemd" {
                let version = try Manifest.number(value, "requires.systemd", expected: "a version from 1 to 9999") {
                    1...9999 ~= $0 && $0 == $0.rounded()
                }
                all.append(.systemd(Int(version)))
                continue
            }
            guard key == "programs" || key == "packages" else {
                throw .unknownKey(
                    "requires." + key, line: value.line, known: ["requires.programs", "requires.packages", "requires.systemd"])
            }
            guard case .array(let elements) = value.value else {
                throw .wrongType("requires.\(key)", line: value.line, expected: "a list", found: value.kind)
            }
            for element in elements {
                guard case .string(let text) = element.value else {
                    throw .wrongType("requires.\(key)", line: element.line, expected: "a list of names", found: element.kind)
                }
                guard let one = key == "programs" ? Requirement(program: text) : Requirement(package: text) else {
                    throw .badRequirement(text, isPackage: key == "packages", line: element.line)
                }
                guard !all.contains(one) else { throw .duplicate("'\(text)' in 'requires'", line: element.line) }
                all.append(one)
            }
        }
        guard all.count <= 100 else {
            throw .wrongType("requires", line: json.line, expected: "at most 100 requirements", found: "\(all.count)")
        }
        return all
    }

    /// A name or an absolute path of letters, digits and `._+-`.
    private init?(program: String) {
        guard program.first != "-", !program.hasSuffix("/"), Self.consists(program, of: "._+-/") else { return nil }
        guard program.hasPrefix("/") || !program.contains("/") else { return nil }
        self = .program(program)
    }

    /// `nginx` or `nginx (>= 1.22)`, as Debian Policy 7.1 defines them.
    private init?(package text: String) {
        let parts = text.split(separator: " ").map(String.init)
        guard let name = parts.first, name.utf8.count > 1, name.first?.isLetter == true || name.first?.isNumber == true,
            Self.consists(name, of: "+-."), name == name.lowercased()
        else { return nil }
        if parts.count == 1 {
            self = .package(name, relation: nil, version: nil)
            return
        }
        let rest = parts.dropFirst().joined(separator: " ")
        guard rest.hasPrefix("("), rest.hasSuffix(")") else { return nil }
        let inner = rest.dropFirst().dropLast()
        guard let relation = ["<<", "<=", ">=", ">>", "="].first(where: inner.hasPrefix) else { return nil }
        let version = inner.dropFirst(relation.count).drop { $0 == " " }
        guard version.first?.isNumber == true, Self.consists(String(version), of: ".+-:~") else { return nil }
        self = .package(name, relation: relation, version: String(version))
    }

    private static func consists(_ text: String, of others: String) -> Bool {
        1...200 ~= text.utf8.count
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: others.utf8.contains(byte)
                }
            }
    }
}
