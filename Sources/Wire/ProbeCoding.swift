import Model

extension Probe: WireCodable {
    /// All targets have the same members, so that the agent decodes them with little code: address, port, two texts, a number.
    package func encode(to writer: inout ByteWriter) {
        var (endpoint, first, second, number) = (Endpoint(address: [], port: 0), "", "", 0)
        let tag: UInt8
        switch target {
        case .http(let service, let request):
            (tag, endpoint, first, second, number) = (0, service, request.path, request.host, request.status ?? 0)
        case .tcp(let service): (tag, endpoint) = (1, service)
        case .unix(let path): (tag, first) = (2, path.text)
        case .dns(let service, let name, let type): (tag, endpoint, first, number) = (3, service, name.text + ".", Int(type.rawValue))
        case .unit(let unit): (tag, first) = (4, unit.text)
        }
        writer.byte(tag)
        writer.blob(endpoint.address)
        for value in [Int(endpoint.port), number, successes] { writer.number(UInt64(value)) }
        writer.text(first)
        writer.text(second)
        writer.duration(within)
        writer.duration(timeout)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let tag = try reader.byte()
        let address = try reader.blob(limit: 16)
        let endpoint = Endpoint(address: address, port: UInt16(try reader.count(limit: Int(UInt16.max))))
        let number = try reader.count(limit: Int(UInt16.max))
        let successes = try reader.count(limit: Self.maximumSuccesses)
        let first = try reader.text()
        let second = try reader.text()
        guard let target = Target(tag: tag, endpoint, first: first, second: second, number: number) else { throw .badValue }
        self.init(target)
        within = try reader.duration()
        timeout = try reader.duration()
        self.successes = successes
    }
}

extension Probe.Target {
    /// Nil if the members do not fit.
    fileprivate init?(tag: UInt8, _ endpoint: Endpoint, first: String, second: String, number: Int) {
        guard [0, 4, 16].contains(endpoint.address.count) else { return nil }
        // Fields that a target does not use are empty.
        let isPlain = second.utf8.isEmpty && number == 0
        if tag == 2 || tag == 4, !isPlain || endpoint != Endpoint(address: [], port: 0) { return nil }
        switch tag {
        case 0:
            guard HTTPRequest.isPath(first), HTTPRequest.isHost(second), number < 600 else { return nil }
            self = .http(endpoint, HTTPRequest(path: first, host: second, status: number == 0 ? nil : number))
        case 1:
            guard isPlain, first.utf8.isEmpty else { return nil }
            self = .tcp(endpoint)
        case 2:
            guard let path = try? AbsolutePath(first) else { return nil }
            self = .unix(path)
        case 3:
            guard second.utf8.isEmpty, ends(first, "."), let name = DomainName(first),
                let type = RecordType(rawValue: UInt16(number))
            else { return nil }
            self = .dns(endpoint, name: name, type: type)
        case 4:
            guard let unit = UnitName(first) else { return nil }
            self = .unit(unit)
        default: return nil
        }
    }
}

extension ProbeAnswer: WireCodable {
    /// As for probes: a tag, two numbers and some bytes. The second number is one more than the length in `cutOff`.
    package func encode(to writer: inout ByteWriter) {
        var (first, second, bytes): (Int, Int64, [UInt8]) = (0, 0, [])
        let tag: UInt8
        switch self {
        case .passed: tag = 0
        case .unreachable(let code): (tag, first) = (1, code)
        case .notAccepted: tag = 2
        case .late(let received): (tag, first) = (3, received)
        case .closed(let received): (tag, first) = (4, received)
        case .status(let status): (tag, first) = (5, status)
        case .notHTTP(let beginning): (tag, bytes) = (6, beginning)
        case .headerTooLong: tag = 7
        case .cutOff(let received, let length): (tag, first, second) = (8, received, (length ?? -1) &+ 1)
        case .responseCode(let code): (tag, first) = (9, code)
        case .noRecord: tag = 10
        case .truncated: tag = 11
        case .malformed: tag = 12
        case .unrelated: tag = 13
        }
        writer.byte(tag)
        writer.signed(Int64(first))
        writer.signed(second)
        writer.blob(bytes)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let tag = try reader.byte()
        guard let first = Int(exactly: try reader.signed()) else { throw .badNumber }
        let second = try reader.signed()
        let bytes = try reader.blob(limit: 64)
        // Fields that an answer does not use are empty.
        guard [1, 3, 4, 5, 8, 9].contains(tag) || first == 0, tag == 8 || second == 0, tag == 6 || bytes.isEmpty else { throw .badValue }
        switch tag {
        case 0: self = .passed
        case 1: self = .unreachable(code: first)
        case 2: self = .notAccepted
        case 3: self = .late(received: first)
        case 4: self = .closed(received: first)
        case 5: self = .status(first)
        case 6: self = .notHTTP(bytes)
        case 7: self = .headerTooLong
        case 8: self = .cutOff(received: first, of: second == 0 ? nil : second &- 1)
        case 9: self = .responseCode(first)
        case 10: self = .noRecord
        case 11: self = .truncated
        case 12: self = .malformed
        case 13: self = .unrelated
        default: throw .unknownCase
        }
    }
}
