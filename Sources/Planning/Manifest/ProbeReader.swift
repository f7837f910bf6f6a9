import Model

/// Reads one probe of a manifest.
struct ProbeReader {
    private let members: [(key: String, value: JSON)]
    private let line: Int

    private static let noTLS = "a probe has no TLS; probe the service behind it, or test it from outside with `--confirm-with`"
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

    private func number(_ key: String, _ range: ClosedRange<Double>, expected: String, whole: Bool) throws(FormatError) -> Double? {
        guard let json = value(key) else { return nil }
        return try Manifest.number(json, "health.\(key)", expected: expected) { range ~= $0 && (!whole || $0 == $0.rounded()) }
    }

    private func problem(_ text: String, _ key: String) -> FormatError { .badProbe(text, line: value(key)?.line ?? line) }

    func probe() throws(FormatError) -> Probe {
        let kinds = members.map(\.key).filter(Self.kinds.contains)
        if let key = members.first(where: { $0.key == "https" }) {
            throw .badProbe(
                Self.noTLS, line: key.value.line
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
        if let seconds = try number("within", 1...3600, expected: "a number of seconds from 1 to 3600", whole: false) {
            probe.within = .wholeMilliseconds(of: seconds)
        }
        if let seconds = try number("timeout", 0.1...60, expected: "a number of seconds from 0.1 to 60", whole: false) {
            probe.timeout = .wholeMilliseconds(of: seconds)
        }
        if let count = try number(
            "successes", 1...Double(Probe.maximumSuccesses), expected: "a whole number from 1 to \(Probe.maximumSuccesses)", whole: true)
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
                        ? Self.noTLS
                        : "'\(text)' is not a URL such as 'http://127.0.0.1:8080/up'", kind)
            }
            let rest = text.dropFirst(7)
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            let path = slash == rest.endIndex ? "/" : String(rest[slash...])
            guard let endpoint = Endpoint(rest[..<slash], defaultPort: 80), HTTPRequest.isPath(path), !path.contains("#") else {
                throw problem(badAddress(text, "http://127.0.0.1:8080/up"), kind)
            }
            let host = try self.text("host") ?? String(rest[..<slash])
            guard HTTPRequest.isHost(host) else { throw problem("'\(host)' cannot be the value of a 'Host' header", "host") }
            let status = try number("status", 100...599, expected: "a whole number from 100 to 599", whole: true).map { Int($0) }
            return .http(endpoint, HTTPRequest(path: path, host: host, status: status))
        case "tcp":
            guard let endpoint = Endpoint(text[...], defaultPort: nil) else { throw problem(badAddress(text, "127.0.0.1:5432"), kind) }
            return .tcp(endpoint)
        case "unix":
            guard let path = try? AbsolutePath(text) else { throw problem("'\(text)' is not the absolute path of a socket", kind) }
            guard text.utf8.count <= 107 else { throw problem("'\(text)' is too long for a socket: at most 107 bytes", kind) }
            return .unix(path)
        case "dns":
            guard let endpoint = Endpoint(text[...], defaultPort: 53) else { throw problem(badAddress(text, "127.0.0.1"), kind) }
            guard let name = try self.text("name") else { throw .missingKey("health.name", line: line) }
            guard let domain = DomainName(name) else { throw problem("'\(name)' is not a domain name", "name") }
            let word = try self.text("type") ?? "A"
            guard let type = RecordType.allCases.first(where: { $0.name == word.uppercased() }) else {
                throw problem(
                    "'\(word)' is not a record type that probes support: " + RecordType.allCases.map(\.name).joined(separator: ", "), "type"
                )
            }
            return .dns(endpoint, name: domain, type: type)
        default:
            if let unstartable = UnitKind(unstartable: text) { throw .unstartable(text, line: line, unstartable) }
            guard let unit = UnitName(text), text.hasSuffix(".service") else {
                throw problem("'\(text)' is not a service, such as 'smoke-test.service'", kind)
            }
            return .unit(unit)
        }
    }

    private func badAddress(_ text: String, _ example: String) -> String {
        "'\(text)' has no literal address or 'localhost', as in '\(example)': a probe runs on the host and does not resolve names"
    }
}
