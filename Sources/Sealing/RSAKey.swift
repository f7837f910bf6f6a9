import Age
import CCrypto
import Model

/// RSA keys of SSH in age: OAEP with SHA-256 (RFC 8017, section 7.1).
@safe final class RSAKey {
    static let label = "age-encryption.org/v1/ssh-rsa"
    static let minimumBits: Int32 = 2048

    private let key: OpaquePointer

    /// From the public key in SSH's wire format. Nil if it is invalid.
    init?(publicKey: [UInt8]) {
        var numbers: [[UInt8]] = []
        var rest = publicKey[...]
        while !rest.isEmpty {
            guard rest.count >= 4 else { return nil }
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard count <= rest.count else { return nil }
            numbers.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        guard numbers.count == 3, numbers[0].elementsEqual("ssh-rsa".utf8),
            let key = unsafe Self.key(n: SecretBytes(copying: numbers[2][...]), e: SecretBytes(copying: numbers[1][...]), d: nil)
        else { return nil }
        unsafe self.key = key
    }

    /// From a private key as ssh-keygen writes it.
    init?(_ privateKey: borrowing OpenSSHKey) {
        guard !privateKey.isEd25519,
            let key = unsafe Self.key(n: privateKey.value(0), e: privateKey.value(1), d: privateKey.value(2))
        else { return nil }
        unsafe self.key = key
    }

    /// From a private key in PEM. Nil if it is of another kind, or a passphrase protects it.
    init?(pem file: borrowing SecretBytes) {
        let found = unsafe file.withBytes { bytes in
            let source = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            defer { unsafe BIO_free(source) }
            // Never asks for a passphrase by itself.
            return unsafe PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil)
        }
        guard let found = unsafe found else { return nil }
        unsafe key = found
        guard unsafe EVP_PKEY_get_base_id(found) == EVP_PKEY_RSA else { return nil }
    }

    deinit { unsafe EVP_PKEY_free(key) }

    var bits: Int32 { unsafe EVP_PKEY_get_bits(key) }

    /// In SSH's wire format.
    var publicKey: [UInt8] {
        let rsa = unsafe EVP_PKEY_get0_RSA(key)
        func number(_ number: OpaquePointer?) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: Int(unsafe BN_num_bits(number) + 7) / 8)
            _ = unsafe BN_bn2bin(number, &bytes)
            return (bytes.first ?? 0) >= 0x80 ? [0] + bytes : bytes
        }
        return [Array("ssh-rsa".utf8), unsafe number(RSA_get0_e(rsa)), unsafe number(RSA_get0_n(rsa))].flatMap { part in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: part.count >> $0) } + part
        }
    }

    func seal(_ content: borrowing SecretBytes) -> [UInt8]? {
        guard let sealed = unsafe process(content, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt) else { return nil }
        return unsafe sealed.withBytes { unsafe Array($0) }
    }

    func open(_ sealed: [UInt8]) -> SecretBytes? {
        unsafe process(SecretBytes(copying: sealed[...]), EVP_PKEY_decrypt_init, EVP_PKEY_decrypt)
    }

    private static func key(n: borrowing SecretBytes, e: borrowing SecretBytes, d: consuming SecretBytes?) -> OpaquePointer? {
        func number(_ bytes: borrowing SecretBytes, into place: OpaquePointer? = nil) -> OpaquePointer? {
            unsafe bytes.withBytes { unsafe BN_bin2bn($0.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32($0.count), place) }
        }
        let rsa = unsafe RSA_new(), key = unsafe EVP_PKEY_new()
        var secret: OpaquePointer?
        // The library leaves a copy of the other kind of numbers in freed memory.
        if let d { unsafe secret = number(d, into: BN_secure_new()) }
        guard unsafe RSA_set0_key(rsa, number(n), number(e), secret) == 1,
            unsafe EVP_PKEY_assign(key, EVP_PKEY_RSA, UnsafeMutableRawPointer(rsa)) == 1
        else {
            unsafe EVP_PKEY_free(key)
            return nil
        }
        return unsafe key
    }

    private func process(
        _ input: borrowing SecretBytes, _ start: (OpaquePointer?) -> Int32,
        _ work: (OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?, UnsafePointer<UInt8>?, Int) -> Int32
    ) -> SecretBytes? {
        let context = unsafe EVP_PKEY_CTX_new(key, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        let count = Self.label.utf8.count
        guard unsafe start(context) == 1, unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1,
            let label = unsafe CRYPTO_malloc(count, nil, 0)
        else { return nil }
        unsafe label.copyMemory(from: Array(Self.label.utf8), byteCount: count)
        guard unsafe EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, Int32(count)) == 1 else {
            unsafe CRYPTO_free(label, nil, 0)
            return nil
        }
        var output = SecretBytes(count: Int(bits + 7) / 8), length = output.count
        let isDone = unsafe input.withBytes { input in
            unsafe output.withMutableBytes { output in
                unsafe work(
                    context, output.baseAddress?.assumingMemoryBound(to: UInt8.self), &length,
                    input.baseAddress?.assumingMemoryBound(to: UInt8.self), input.count) == 1
            }
        }
        guard isDone, length <= output.count else { return nil }
        return output[0..<length]
    }
}
