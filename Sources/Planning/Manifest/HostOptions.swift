/// A host's own `host.json`.
package struct HostOptions: Hashable, Sendable {
    /// The hostname in the host's `/etc/hostname`, if it differs from the name of its directory.
    package var hostname: String?

    /// The public half of the key in ``Layout/identity``, `ssh-ed25519 AAAA…`, if the host opens secrets with that one.
    package var identity: String?

    package static let fileName = "host.json"
    private static let keys = ["hostname", "identity"]

    package init() {}

    package init(parsing bytes: [UInt8]) throws(FormatError) {
        self.init()
        for (key, value) in try FormatError.object(bytes) {
            guard Self.keys.contains(key) else { throw .unknownKey(key, line: value.line, known: Self.keys) }
            guard case .string(let text) = value.value else {
                throw .wrongType(key, line: value.line, expected: "a string", found: value.kind)
            }
            if key == "hostname" {
                hostname = text
            } else {
                guard Self.isIdentity(text) else { throw .badIdentity(line: value.line) }
                identity = text
            }
        }
    }

    /// Whether the text is an ed25519 key as in authorized_keys, without options and comment.
    package static func isIdentity(_ text: String) -> Bool {
        // All such keys begin alike: with the lengths of their parts and the type (RFC 8709).
        let rest = text.utf8.dropFirst(identityStart.utf8.count)
        return text.hasPrefix(identityStart) && rest.count == 43
            && rest.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/")
            }
    }

    private static let identityStart = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
}
