import Model

extension Manifest {
    /// A command that judges the app's files before a deploy changes anything.
    package struct Check: Hashable, Sendable {
        /// The program, an absolute path or `./` and a file of the app, and its arguments.
        package var arguments: [String]
        /// In the manifest, counted from 1.
        var line: Int

        /// The file of the app that is the program; nil for a program of the host.
        package var ownProgram: RelativePath? {
            guard let program = arguments.first, program.hasPrefix("./") else { return nil }
            return try? RelativePath(String(program.dropFirst(2)))
        }
    }

    static func readChecks(_ json: JSON) throws(FormatError) -> [Check] {
        guard case .array(let elements) = json.value else {
            throw .wrongType("checks", line: json.line, expected: "a list of commands", found: json.kind)
        }
        var checks: [Check] = []
        for element in elements {
            guard case .array(let words) = element.value, !words.isEmpty else {
                throw .wrongType(
                    "checks", line: element.line,
                    expected: "a list of commands, each a list of words such as [\"/usr/sbin/nginx\", \"-t\"]",
                    found: element.kind == "a list" ? "an empty one" : element.kind)
            }
            var arguments: [String] = []
            for word in words {
                guard case .string(let text) = word.value, !text.utf8.contains(0), text.utf8.count < 4096 else {
                    throw .wrongType("checks", line: word.line, expected: "words", found: word.kind)
                }
                arguments.append(text)
            }
            guard arguments.count <= 100 else {
                throw .wrongType("checks", line: element.line, expected: "commands of at most 100 words", found: "\(arguments.count)")
            }
            let check = Check(arguments: arguments, line: element.line)
            guard check.ownProgram != nil || (try? AbsolutePath(arguments[0])) != nil else {
                throw .badProgram(arguments[0], line: element.line)
            }
            guard !checks.contains(where: { $0.arguments == arguments }) else {
                throw .duplicate("the check '\(arguments.joined(separator: " "))'", line: element.line)
            }
            checks.append(check)
        }
        return checks
    }

    /// A probe, and its place.
    package struct Health: Hashable, Sendable {
        package var probe: Probe
        /// In the manifest, counted from 1.
        var line: Int
    }

    static func readHealth(_ json: JSON) throws(FormatError) -> [Health] {
        guard case .array(let elements) = json.value else {
            throw .wrongType("health", line: json.line, expected: "a list", found: json.kind)
        }
        var health: [Health] = []
        for element in elements {
            let probe = try ProbeReader(element).probe()
            guard !health.contains(where: { $0.probe.target == probe.target }) else { throw .duplicate("the probe", line: element.line) }
            health.append(Health(probe: probe, line: element.line))
        }
        return health
    }
}
