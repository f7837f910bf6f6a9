import Age
import CBearSSL

/// The primitives of age by BearSSL.
package enum BearSSL: AgePrimitives {
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] { unsafe filled(32) { unsafe cbear_sha256(bytes, bytes.count, $0) } }

    package static func sha512(_ bytes: borrowing SecretBytes) -> SecretBytes {
        var digest = SecretBytes(count: 64)
        unsafe digest.withMutableBytes { out in unsafe bytes.withBytes { unsafe cbear_sha512($0.baseAddress, $0.count, out.baseAddress) } }
        return digest
    }

    package static func hmacSHA256(key: borrowing SecretBytes, _ bytes: ArraySlice<UInt8>) -> [UInt8] {
        unsafe filled(32) { out in
            unsafe key.withBytes { key in
                unsafe bytes.withUnsafeBytes { unsafe cbear_hmac_sha256(key.baseAddress, key.count, $0.baseAddress, $0.count, out) }
            }
        }
    }

    package static func hkdfSHA256(_ input: borrowing SecretBytes, salt: [UInt8], info: [UInt8]) -> SecretBytes {
        var key = SecretBytes(count: 32)
        unsafe key.withMutableBytes { out in
            unsafe input.withBytes {
                unsafe cbear_hkdf_sha256($0.baseAddress, $0.count, salt, salt.count, info, info.count, out.baseAddress)
            }
        }
        return key
    }

    package static func x25519(scalar: borrowing SecretBytes, point: borrowing SecretBytes) -> SecretBytes? {
        var result = SecretBytes(count: 32)
        let isValid = unsafe result.withMutableBytes { out in
            unsafe scalar.withBytes { scalar in
                unsafe point.withBytes { unsafe cbear_x25519(scalar.baseAddress, $0.baseAddress, out.baseAddress) }
            }
        }
        guard isValid else { return nil }
        return result
    }

    package static func open(_ text: UnsafeMutableRawBufferPointer, tag: [UInt8], key: borrowing SecretBytes, nonce: [UInt8]) -> Bool {
        unsafe key.withBytes { unsafe cbear_open(text.baseAddress, text.count, tag, $0.baseAddress, nonce) }
    }

    private static func filled(_ count: Int, _ body: (UnsafeMutablePointer<UInt8>?) -> Void) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            unsafe body(buffer.baseAddress)
            filled = count
        }
    }
}
