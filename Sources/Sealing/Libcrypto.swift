import Age
import CCrypto

/// The algorithms of age, by OpenSSL's libcrypto.
package enum Libcrypto: AgeSealingPrimitives {
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: 32)
        _ = unsafe SHA256(bytes, bytes.count, &hash)
        return hash
    }

    package static func sha512(_ bytes: borrowing SecretBytes) -> SecretBytes {
        var hash = SecretBytes(count: 64)
        unsafe bytes.withBytes { bytes in
            unsafe hash.withMutableBytes { hash in
                _ = unsafe SHA512(bytes.bound, bytes.count, hash.bound)
            }
        }
        return hash
    }

    package static func hmacSHA256(key: borrowing SecretBytes, _ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        unsafe key.withBytes { key in
            unsafe bytes.withUnsafeBytes { bytes in
                _ = unsafe HMAC(EVP_sha256(), key.baseAddress, Int32(key.count), bytes.bound, bytes.count, &code, nil)
            }
        }
        return code
    }

    /// HMAC of a secret, which is a secret.
    private static func hmac(key: borrowing SecretBytes, _ bytes: borrowing SecretBytes) -> SecretBytes {
        var code = SecretBytes(count: 32)
        unsafe key.withBytes { key in
            unsafe bytes.withBytes { bytes in
                unsafe code.withMutableBytes { code in
                    _ = unsafe HMAC(EVP_sha256(), key.baseAddress, Int32(key.count), bytes.bound, bytes.count, code.bound, nil)
                }
            }
        }
        return code
    }

    package static func hkdfSHA256(_ input: borrowing SecretBytes, salt: [UInt8], info: [UInt8]) -> SecretBytes {
        // The first block of the output is all of it.
        hmac(key: hmac(key: SecretBytes(copying: salt[...]), input), SecretBytes(copying: info + [1]))
    }

    package static func x25519(scalar: borrowing SecretBytes, point: borrowing SecretBytes) -> SecretBytes? {
        let ours = unsafe scalar.withBytes { unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, $0.bound, $0.count) }
        defer { unsafe EVP_PKEY_free(ours) }
        let theirs = unsafe point.withBytes { unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, $0.bound, $0.count) }
        defer { unsafe EVP_PKEY_free(theirs) }
        let context = unsafe EVP_PKEY_CTX_new(ours, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_derive_init(context) == 1, unsafe EVP_PKEY_derive_set_peer(context, theirs) == 1 else { return nil }
        var shared = SecretBytes(count: 32), count = 32
        let isDerived = unsafe shared.withMutableBytes { unsafe EVP_PKEY_derive(context, $0.bound, &count) == 1 }
        guard isDerived, count == 32 else { return nil }
        return shared
    }

    package static func open(_ text: UnsafeMutableRawBufferPointer, tag: [UInt8], key: borrowing SecretBytes, nonce: [UInt8]) -> Bool {
        let context = unsafe EVP_CIPHER_CTX_new()
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var tag = tag, count: Int32 = 0
        guard unsafe key.withBytes({ unsafe EVP_DecryptInit_ex(context, EVP_chacha20_poly1305(), nil, $0.bound, nonce) }) == 1,
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag) == 1
        else { return false }
        // With nothing to decrypt, a call would be the final one.
        guard unsafe text.isEmpty || EVP_DecryptUpdate(context, text.bound, &count, text.bound, Int32(text.count)) == 1 else {
            return false
        }
        return unsafe EVP_DecryptFinal_ex(context, nil, &count) == 1
    }

    package static func seal(_ text: UnsafeMutableRawBufferPointer, key: borrowing SecretBytes, nonce: [UInt8]) -> [UInt8] {
        let context = unsafe EVP_CIPHER_CTX_new()
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var tag = [UInt8](repeating: 0, count: 16), count: Int32 = 0
        guard unsafe key.withBytes({ unsafe EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), nil, $0.bound, nonce) }) == 1,
            unsafe text.isEmpty || EVP_EncryptUpdate(context, text.bound, &count, text.bound, Int32(text.count)) == 1,
            unsafe EVP_EncryptFinal_ex(context, nil, &count) == 1,
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), &tag) == 1
        else { preconditionFailure("libcrypto has no ChaCha20-Poly1305") }
        return tag
    }

    package static func random(_ count: Int) -> SecretBytes {
        var bytes = SecretBytes(count: count)
        let isFilled = unsafe bytes.withMutableBytes { unsafe RAND_priv_bytes($0.bound, Int32($0.count)) == 1 }
        precondition(isFilled, "the system has no random numbers")
        return bytes
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var bound: UnsafePointer<UInt8>? { unsafe baseAddress?.assumingMemoryBound(to: UInt8.self) }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate var bound: UnsafeMutablePointer<UInt8>? { unsafe baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
