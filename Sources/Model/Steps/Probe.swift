/// A question to a running service, which has to answer before a deploy is done.
package struct Probe: Hashable, Sendable {
    package indirect enum Target: Hashable, Sendable {
        /// A GET request over HTTP/1.1 without TLS.
        case http(Endpoint, HTTPRequest)
        /// A connection that the service accepts.
        case tcp(Endpoint)
        case unix(AbsolutePath)
        /// A query over UDP. The answer has at least one record of the type.
        case dns(Endpoint, name: DomainName, type: RecordType)
        /// A unit that tests the others: it is started, and has to end well.
        case unit(UnitName)
    }

    package var target: Target
    /// The time in which it has to pass.
    package var within = Duration.seconds(30)
    /// The time that one attempt may take.
    package var timeout = Duration.seconds(2)
    /// How many attempts have to succeed in a row.
    package var successes = 1

    package init(_ target: Target) { self.target = target }

    package static var maximumSuccesses: Int { 1000 }
    /// The time from one attempt to the next.
    package static var interval: Duration { .milliseconds(250) }
}

/// An address and a port of a service.
package struct Endpoint: Hashable, Sendable {
    /// Four bytes of IPv4, sixteen of IPv6, or none for `localhost`: then either loopback address may answer.
    package var address: [UInt8]
    package var port: UInt16

    package init(address: [UInt8], port: UInt16) {
        self.address = address
        self.port = port
    }
}

/// The parts of an HTTP request that a probe chooses, and the status that it expects.
package struct HTTPRequest: Hashable, Sendable {
    /// Path and query, as sent: visible ASCII that starts with `/`, at most 2,048 bytes.
    package var path: String
    /// The value of the `Host` header: visible ASCII, at most 255 bytes.
    package var host: String
    /// The expected status, 100 to 599; nil for any of 200 to 299.
    package var status: Int?

    package init(path: String, host: String, status: Int? = nil) {
        self.path = path
        self.host = host
        self.status = status
    }

    /// Whether a text can be sent as path and query.
    package static func isPath(_ text: String) -> Bool {
        begins(text, "/") && text.utf8.count <= 2048 && text.bytes.allSatisfy { 33...126 ~= $0 }
    }

    /// Whether a text can be sent as the value of `Host`.
    package static func isHost(_ text: String) -> Bool {
        1...255 ~= text.utf8.count && text.bytes.allSatisfy { 33...126 ~= $0 }
    }
}

/// A domain name: labels of 1 to 63 visible ASCII characters other than dots, at most 253 bytes; empty for the root.
package struct DomainName: Hashable, Sendable {
    package let text: String

    /// A final dot is dropped.
    package init?(_ text: String) {
        let name = ends(text, ".") ? Model.text(text.bytes[..<(text.utf8.count - 1)]) : text
        guard name.utf8.count <= 253, !text.utf8.isEmpty else { return nil }
        if !name.utf8.isEmpty {
            for label in pieces(name.bytes[...], at: UInt8(ascii: "."), withEmpty: true) {
                guard 1...63 ~= label.count, label.allSatisfy({ 33...126 ~= $0 }) else { return nil }
            }
        }
        self.text = name
    }

    package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
}

/// A type of DNS records, with its number (RFC 1035, 3596, 2782, 8659, 9460).
package enum RecordType: UInt16, Hashable, Sendable, CaseIterable {
    case a = 1
    case ns = 2
    case cname = 5
    case soa = 6
    case ptr = 12
    case mx = 15
    case txt = 16
    case aaaa = 28
    case srv = 33
    case https = 65
    case caa = 257

    package var name: String {
        switch self {
        case .a: "A"
        case .ns: "NS"
        case .cname: "CNAME"
        case .soa: "SOA"
        case .ptr: "PTR"
        case .mx: "MX"
        case .txt: "TXT"
        case .aaaa: "AAAA"
        case .srv: "SRV"
        case .https: "HTTPS"
        case .caa: "CAA"
        }
    }
}
