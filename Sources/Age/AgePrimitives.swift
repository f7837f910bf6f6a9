/// The algorithms that open age files: BearSSL's on a host, libcrypto's on the operator's machine. Each is constant-time.
package protocol AgePrimitives {
    /// 32 bytes.
    static func sha256(_ bytes: [UInt8]) -> [UInt8]
    /// 64 bytes.
    static func sha512(_ bytes: borrowing SecretBytes) -> SecretBytes
    /// 32 bytes (RFC 2104).
    static func hmacSHA256(key: borrowing SecretBytes, _ bytes: ArraySlice<UInt8>) -> [UInt8]
    /// 32 bytes (RFC 5869).
    static func hkdfSHA256(_ input: borrowing SecretBytes, salt: [UInt8], info: [UInt8]) -> SecretBytes
    /// RFC 7748: clamps the scalar. Both have 32 bytes, little-endian, and so has the result. Nil if that is all zeros.
    static func x25519(scalar: borrowing SecretBytes, point: borrowing SecretBytes) -> SecretBytes?
    /// Decrypts ChaCha20-Poly1305 (RFC 8439) in place, without associated data. False if the tag, 16 bytes, is not that of the
    /// text; the text is of no use then. The key has 32 bytes, the nonce 12.
    static func open(_ text: UnsafeMutableRawBufferPointer, tag: [UInt8], key: borrowing SecretBytes, nonce: [UInt8]) -> Bool
}

/// The algorithms that also seal; only the operator's machine does.
package protocol AgeSealingPrimitives: AgePrimitives {
    /// Encrypts in place and returns the tag.
    static func seal(_ text: UnsafeMutableRawBufferPointer, key: borrowing SecretBytes, nonce: [UInt8]) -> [UInt8]
    /// From the system's generator for keys.
    static func random(_ count: Int) -> SecretBytes
}
