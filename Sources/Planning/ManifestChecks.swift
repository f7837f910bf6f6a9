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

    static func readProbes(_ json: JSON) throws(FormatError) -> [Probe] {
        guard case .array(let elements) = json.value else {
            throw .wrongType("health", line: json.line, expected: "a list", found: json.kind)
        }
        var probes: [Probe] = []
        for element in elements {
            let probe = try ProbeReader(element).probe()
            guard !probes.contains(where: { $0.target == probe.target }) else { throw .duplicate("the probe", line: element.line) }
            probes.append(probe)
        }
        return probes
    }
}

/// Reads one probe of a manifest.
private struct ProbeReader {
    private let members: [(key: String, value: JSON)]
    private let line: Int

    private static let kinds = ["http", "tcp", "unix", "dns", "unit"]

    init(_ json: JSON) throws(FormatError) {
        members = try FormatError.object(json, named: "health")
        line = json.line
    }

    private func value(_ key: String) -> JSON? { members.first { $0.key == key }?.value }

    private func text(_ key: String) throws(FormatError) -> String? {
        guard let json = value(key) else { return nil }
        guard case .string(let text) = json.value else {
            throw .wrongType("health.\(key)", line: json.line, expected: "a string", found: json.kind)
        }
        return text
    }

    private func number(_ key: String, _ range: ClosedRange<Double>, _ expected: String, whole: Bool) throws(FormatError) -> Double? {
        guard let json = value(key) else { return nil }
        return try Manifest.number(json, "health.\(key)", expected) { range ~= $0 && (!whole || $0 == $0.rounded()) }
    }

    private func problem(_ text: String, _ key: String) -> FormatError { .badProbe(text, line: value(key)?.line ?? line) }

    func probe() throws(FormatError) -> Probe {
        let kinds = members.map(\.key).filter(Self.kinds.contains)
        if let key = members.first(where: { $0.key == "https" }) {
            throw .badProbe(
                "a probe cannot speak TLS; probe the service behind it, or test it from outside with `--confirm-with`", line: key.value.line
            )
        }
        guard kinds.count == 1 else {
            throw .badProbe(
                "a probe has one of 'http', 'tcp', 'unix', 'dns' and 'unit', not \(kinds.isEmpty ? "none" : "\(kinds.count)")", line: line)
        }
        let own = ["http": ["status", "host"], "dns": ["name", "type"]][kinds[0]] ?? []
        let times = kinds[0] == "unit" ? ["within"] : ["within", "timeout", "successes"]
        let known = [kinds[0]] + own + times
        for (key, value) in members where !known.contains(key) {
            throw .unknownKey("health.\(key)", line: value.line, known: known)
        }
        var probe = Probe(try target(kinds[0]))
        if let seconds = try number("within", 1...3600, "a number of seconds from 1 to 3600", whole: false) {
            probe.within = .seconds(seconds)
        }
        if let seconds = try number("timeout", 0.1...60, "a number of seconds from 0.1 to 60", whole: false) {
            probe.timeout = .seconds(seconds)
        }
        if let count = try number(
            "successes", 1...Double(Probe.maximumSuccesses), "a whole number from 1 to \(Probe.maximumSuccesses)", whole: true)
        {
            probe.successes = Int(count)
        }
        if probe.within < Probe.interval * (probe.successes - 1) {
            throw problem("\(probe.successes) successes take longer than 'within' allows: one attempt every 250 ms", "successes")
        }
        return probe
    }

    private func target(_ kind: String) throws(FormatError) -> Probe.Target {
        guard let text = try text(kind) else { throw .missingKey("health.\(kind)", line: line) }
        switch kind {
        case "http":
            guard text.hasPrefix("http://") else {
                throw problem(
                    text.hasPrefix("https:")
                        ? "a probe cannot speak TLS; probe the service behind it, or test it from outside with `--confirm-with`"
                        : "'\(text)' is no URL such as 'http://127.0.0.1:8080/up'", kind)
            }
            let rest = text.dropFirst(7)
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            let path = slash == rest.endIndex ? "/" : String(rest[slash...])
            guard let endpoint = Endpoint(rest[..<slash], defaultPort: 80), HTTPRequest.isPath(path), !path.contains("#") else {
                throw problem(badAddress(text, "http://127.0.0.1:8080/up"), kind)
            }
            let host = try self.text("host") ?? String(rest[..<slash])
            guard HTTPRequest.isHost(host) else { throw problem("'\(host)' cannot be the value of a 'Host' header", "host") }
            let status = try number("status", 100...599, "a whole number from 100 to 599", whole: true).map { Int($0) }
            return .http(endpoint, HTTPRequest(path: path, host: host, status: status))
        case "tcp":
            guard let endpoint = Endpoint(text[...], defaultPort: nil) else { throw problem(badAddress(text, "127.0.0.1:5432"), kind) }
            return .tcp(endpoint)
        case "unix":
            guard let path = try? AbsolutePath(text) else { throw problem("'\(text)' is no absolute path of a socket", kind) }
            guard text.utf8.count <= 107 else { throw problem("'\(text)' is too long for a socket: at most 107 bytes", kind) }
            return .unix(path)
        case "dns":
            guard let endpoint = Endpoint(text[...], defaultPort: 53) else { throw problem(badAddress(text, "127.0.0.1"), kind) }
            guard let name = try self.text("name") else { throw .missingKey("health.name", line: line) }
            guard let domain = DomainName(name) else { throw problem("'\(name)' is no domain name", "name") }
            let word = try self.text("type") ?? "A"
            guard let type = RecordType.allCases.first(where: { $0.name == word.uppercased() }) else {
                throw problem(
                    "'\(word)' is no type of record that a probe knows: " + RecordType.allCases.map(\.name).joined(separator: ", "), "type")
            }
            return .dns(endpoint, name: domain, type: type)
        default:
            if let unstartable = UnitKind(unstartable: text) { throw .unstartable(text, line: line, unstartable) }
            guard let unit = UnitName(text), text.hasSuffix(".service") else {
                throw problem("'\(text)' is no service, such as 'smoke-test.service'", kind)
            }
            return .unit(unit)
        }
    }

    private func badAddress(_ text: String, _ example: String) -> String {
        "'\(text)' has no literal address or 'localhost', as in '\(example)': a probe asks the host itself, and looks no names up"
    }
}

extension Endpoint {
    /// `ADDRESS`, `ADDRESS:PORT`, or an IPv6 address in brackets; nil if the text is none, or has no port where one is needed.
    package init?(_ text: Substring, defaultPort: UInt16?) {
        var host = text
        var port = defaultPort
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = Self.port(rest.dropFirst()) else { return nil }
                port = number
            }
            guard let address = Self.version6(host), let port else { return nil }
            self.init(address: address, port: port)
            return
        }
        if let colon = text.firstIndex(of: ":") {
            // A bare IPv6 address has no port.
            if text[text.index(after: colon)...].contains(":") {
                guard let address = Self.version6(text), let defaultPort else { return nil }
                self.init(address: address, port: defaultPort)
                return
            }
            host = text[..<colon]
            guard let number = Self.port(text[text.index(after: colon)...]) else { return nil }
            port = number
        }
        guard let port else { return nil }
        if host == "localhost" {
            self.init(address: [], port: port)
        } else if let address = Self.version4(host) {
            self.init(address: address, port: port)
        } else {
            return nil
        }
    }

    private static func port(_ text: Substring) -> UInt16? {
        guard 1...5 ~= text.utf8.count, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let port = UInt16(text),
            port > 0
        else { return nil }
        return port
    }

    private static func version4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard 1...3 ~= part.utf8.count, part.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let byte = UInt8(part),
                part == "0" || part.first != "0"
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// Groups of RFC 4291, with `::` at most once; without an embedded IPv4 address.
    private static func version6(_ text: Substring) -> [UInt8]? {
        func groups(_ text: Substring) -> [UInt8]? {
            if text.isEmpty { return [] }
            var bytes: [UInt8] = []
            for group in text.split(separator: ":", omittingEmptySubsequences: false) {
                guard 1...4 ~= group.utf8.count, let number = UInt16(group, radix: 16), group.first != "+", group.first != "-" else {
                    return nil
                }
                bytes += [UInt8(number >> 8), UInt8(number & 0xff)]
            }
            return bytes
        }
        guard let gap = text.firstRange(of: "::") else {
            guard let bytes = groups(text), bytes.count == 16 else { return nil }
            return bytes
        }
        guard let head = groups(text[..<gap.lowerBound]), let tail = groups(text[gap.upperBound...]), head.count + tail.count <= 14 else {
            return nil
        }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }
}
