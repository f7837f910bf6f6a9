/// The lines of known_hosts files that Deptool understands (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
///
/// `@cert-authority` lines do not make a key known. Skips invalid lines, like ssh.
struct KnownHosts {
    private var entries: [Entry] = []

    struct Entry {
        let hosts: HostPattern
        let key: PublicKey
        let marker: Marker
        let place: KnownHostsPlace
    }

    enum Marker {
        case none, revoked, authority
    }

    enum Verdict: Equatable {
        case known
        /// With the types of the host's other known keys.
        case unknown(knownTypes: [String])
        /// The host has another known key of this type.
        case changed(KnownHostsPlace)
        case revoked(KnownHostsPlace)
    }

    init() {}

    /// Adds the lines of one file.
    mutating func parse(_ bytes: [UInt8], path: String) {
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if let entry = Self.entry(line, KnownHostsPlace(path: path, line: number)) { entries.append(entry) }
        }
    }

    private static func entry(_ line: ArraySlice<UInt8>, _ place: KnownHostsPlace) -> Entry? {
        func isBlank(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
        }
        var rest = line.drop(while: isBlank)
        guard let first = rest.first, first != UInt8(ascii: "#") else { return nil }
        var marker = Marker.none
        func word() -> ArraySlice<UInt8> {
            let word = rest.prefix { !isBlank($0) }
            rest = rest[word.endIndex...].drop(while: isBlank)
            return word
        }
        if first == UInt8(ascii: "@") {
            switch String(decoding: word(), as: UTF8.self) {
            case "@revoked": marker = .revoked
            case "@cert-authority": marker = .authority
            default: return nil
            }
        }
        guard let hosts = HostPattern(word()), let key = PublicKey(line: rest) else { return nil }
        return Entry(hosts: hosts, key: key, marker: marker, place: place)
    }

    /// Looks up `key` for the host `name`, which is `host` or `[host]:port`, in lower case.
    func lookup(_ name: String, _ key: PublicKey) -> Verdict {
        let matching = entries.filter { $0.hosts.matches(name) }
        if let revoked = matching.first(where: { $0.marker == .revoked && $0.key == key }) {
            return .revoked(revoked.place)
        }
        let keys = matching.filter { $0.marker == .none }
        if keys.contains(where: { $0.key == key }) { return .known }
        if let other = keys.first(where: { $0.key.type == key.type }) { return .changed(other.place) }
        return .unknown(knownTypes: Self.types(keys))
    }

    /// The keys of this type known for the host, without revoked ones.
    func keys(of name: String, type: String) -> [PublicKey] {
        let matching = entries.filter { $0.key.type == type && $0.hosts.matches(name) }
        let revoked = matching.filter { $0.marker == .revoked }.map(\.key)
        var keys: [PublicKey] = []
        for entry in matching where entry.marker == .none && !revoked.contains(entry.key) && !keys.contains(entry.key) {
            keys.append(entry.key)
        }
        return keys
    }

    /// The types of the keys known for the host, in the order of the files.
    func types(of name: String) -> [String] {
        Self.types(entries.filter { $0.marker == .none && $0.hosts.matches(name) })
    }

    /// Whether certificates are trusted for the host.
    func hasAuthority(_ name: String) -> Bool { entries.contains { $0.marker == .authority && $0.hosts.matches(name) } }

    /// The place where a key of this type is revoked for the host.
    func revoked(_ name: String, type: String) -> KnownHostsPlace? {
        entries.first { $0.marker == .revoked && $0.key.type == type && $0.hosts.matches(name) }?.place
    }

    private static func types(_ entries: [Entry]) -> [String] {
        var types: [String] = []
        for entry in entries where !types.contains(entry.key.type) { types.append(entry.key.type) }
        return types
    }

    /// A line that adds `key` for `name`, hashed with these 20 random bytes if present.
    static func line(_ name: String, _ key: PublicKey, salt: [UInt8]?) -> String {
        let host = salt.map { salt in
            "|1|\(Base64.encode(salt))|\(Base64.encode(hmacSHA1(key: salt, Array(name.utf8))))"
        }
        return "\(host ?? name) \(key.type) \(Base64.encode(key.blob))\n"
    }
}
