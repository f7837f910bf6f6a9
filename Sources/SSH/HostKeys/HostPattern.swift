import Model

/// The first field of a known_hosts line (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): the hosts of the line.
enum HostPattern: Hashable {
    /// `|1|salt|hash`: HMAC-SHA1 of the name.
    case hashed(salt: [UInt8], hash: [UInt8])
    /// Comma-separated names with `*` and `?`; a matching one with `!` excludes the host.
    case list([Glob])

    struct Glob: Hashable {
        let isNegated: Bool
        let pattern: [UInt8]
    }

    init?(_ field: ArraySlice<UInt8>) {
        if field.first == UInt8(ascii: "|") {
            let parts = field.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
            guard parts.count == 4, parts[1].elementsEqual("1".utf8), let salt = Base64.decode(parts[2]),
                let hash = Base64.decode(parts[3]), hash.count == 20
            else { return nil }
            self = .hashed(salt: salt, hash: hash)
            return
        }
        self = .list(
            field.split(separator: UInt8(ascii: ",")).map { part in
                let isNegated = part.first == UInt8(ascii: "!")
                return Glob(isNegated: isNegated, pattern: lowercase(isNegated ? part.dropFirst() : part))
            })
    }

    /// `name` must be in lower case: `host`, or `[host]:port`.
    func matches(_ name: String) -> Bool {
        switch self {
        case .hashed(let salt, let hash):
            return hmacSHA1(key: salt, Array(name.utf8)) == hash
        case .list(let globs):
            let bytes = Array(name.utf8)
            let matching = globs.filter { matchesGlob(bytes, $0.pattern) }
            return !matching.isEmpty && !matching.contains(where: \.isNegated)
        }
    }
}

/// HMAC (RFC 2104) with SHA-1.
func hmacSHA1(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    func sha1(_ parts: [UInt8]...) -> [UInt8] {
        var hash = SHA1()
        for part in parts { hash.update(part) }
        return hash.finish().bytes
    }
    let short = key.count > 64 ? sha1(key) : key
    let padded = short + [UInt8](repeating: 0, count: 64 - short.count)
    return sha1(padded.map { $0 ^ 0x5C }, sha1(padded.map { $0 ^ 0x36 }, message))
}

private func lowercase(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
}
