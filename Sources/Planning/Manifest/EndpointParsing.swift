import Model

extension Endpoint {
    /// `ADDRESS`, `ADDRESS:PORT`, or an IPv6 address in brackets; nil if the text is not an endpoint, or lacks a required port.
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
