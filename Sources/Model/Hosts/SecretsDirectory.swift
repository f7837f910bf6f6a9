/// Properties of the files in an app's `secrets/`.
package enum SecretsDirectory {
    /// How a file of age begins.
    package static let mark = "age-encryption.org/"
    /// Bytes of a sealed file.
    package static let limit = 1 << 20

    /// Whether a secret may have this name: at most 128 letters, digits, `.`, `-`, `_`; the first a letter or digit, and not
    /// with the suffix of its file.
    package static func isName(_ name: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        let bytes = name.bytes
        guard let first = bytes.first, isPlain(first), bytes.count <= 128, !ends(name, ".age") else { return false }
        return bytes.allSatisfy { isPlain($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }

    /// The secret's name; nil for a file that is not `secrets/NAME.age` with a valid name. The path is relative to the app.
    package static func secret(_ path: RelativePath) -> String? { path.secretName.flatMap { isName($0) ? $0 : nil } }

    /// Whether the path is inside the directory.
    package static func has(_ path: RelativePath) -> Bool { begins(path.text, RelativePath.secrets + "/") }
}
