import Model

extension Probe {
    /// The question, as the manifest writes it.
    package var phrase: String {
        switch target {
        case .http(let endpoint, let request):
            "http://\(endpoint.text)\(visible(request.path))"
                + (request.host == endpoint.text ? "" : " as \(visible(request.host))")
        case .tcp(let endpoint): "tcp \(endpoint.text)"
        case .unix(let path): "unix \(visible(path.text))"
        case .dns(let endpoint, let name, let type):
            "dns \(endpoint.text) for \(name.text.isEmpty ? "." : visible(name.text)) \(type.name)"
        case .unit(let unit): "unit \(unit.text)"
        }
    }
}

extension Endpoint {
    /// As in a URL.
    package var text: String {
        let host: String
        switch address.count {
        case 4: host = address.map(String.init).joined(separator: ".")
        case 16: host = "[\(compressed)]"
        default: host = "localhost"
        }
        return "\(host):\(port)"
    }

    /// An IPv6 address in the form of RFC 5952: the first longest run of zeros becomes `::`.
    private var compressed: String {
        let groups = stride(from: 0, to: 16, by: 2).map { Int(address[$0]) << 8 | Int(address[$0 + 1]) }
        var (best, start) = (0..<0, 0)
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func joined(_ part: ArraySlice<Int>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? joined(groups[...]) : "\(joined(groups[..<best.lowerBound]))::\(joined(groups[best.upperBound...]))"
    }
}

extension ProbeAnswer {
    /// The last answer, for a progress line.
    package var phrase: String {
        switch self {
        case .passed: "well"
        case .unreachable(code: 111): "nothing listens"
        case .unreachable(code: 2): "no such socket"
        case .unreachable(let code): linuxError(code)
        case .notAccepted: "no connection"
        case .late(received: 0): "no answer"
        case .late(let received): "\(count(received, "byte")) of an answer"
        case .closed(received: 0): "closed without an answer"
        case .closed(let received): "closed after \(count(received, "byte"))"
        case .status(let status): "\(status)"
        case .notHTTP(let bytes): "not HTTP: \(visible(String(decoding: bytes, as: UTF8.self)))"
        case .headerTooLong: "the header does not end"
        case .cutOff(let received, let length?): "cut off after \(received) of \(count(Int(length), "byte"))"
        case .cutOff(let received, nil): "cut off after \(count(received, "byte"))"
        case .responseCode(let code): Self.responseCodes[code] ?? "response code \(code)"
        case .noRecord: "no such record"
        case .truncated: "truncated"
        case .malformed: "malformed"
        case .unrelated: "answers to other questions"
        }
    }

    /// For a sentence whose subject is the service.
    var verdict: String {
        switch self {
        case .passed: "is well"
        case .unreachable, .notAccepted: "cannot be reached: \(phrase)"
        case .late: "did not answer in time: \(phrase)"
        default: "gave the wrong answer: \(phrase)"
        }
    }

    /// RFC 1035, 4.1.1.
    private static let responseCodes = [1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"]
}
