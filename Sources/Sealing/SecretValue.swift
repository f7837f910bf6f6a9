import Age
import SSH

extension SecretBytes {
    /// Random characters of the alphabet, each as likely as any other.
    package init(random count: Int, of alphabet: [UInt8]) {
        precondition((1...256).contains(alphabet.count))
        self.init(count: count)
        // Bytes above the last whole multiple would favour the first characters.
        let limit = 256 / alphabet.count * alphabet.count
        var filled = 0
        while filled < count {
            let random = Libcrypto.random(64)
            for index in 0..<random.count where filled < count && Int(random[index]) < limit {
                self[filled] = alphabet[Int(random[index]) % alphabet.count]
                filled += 1
            }
        }
    }
}

/// The text typed at a prompt.
package func secretBytes(_ secret: Secret) -> SecretBytes {
    let count = secret.count
    var bytes = SecretBytes(count: count)
    unsafe secret.withBytes { source in
        unsafe bytes.withMutableBytes { unsafe $0.copyMemory(from: source) }
    }
    return bytes
}
