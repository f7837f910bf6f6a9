import Model

/// The content of a sealed file: chunks, each encrypted for itself (STREAM).
enum Payload {
    static let chunk = 64 << 10, tag = 16, nonce = 16

    /// That of chunk `index`, counted from zero.
    static func nonce(_ index: Int, isLast: Bool) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: 12)
        for place in 0..<4 { nonce[10 - place] = UInt8(truncatingIfNeeded: index >> (8 * place)) }
        nonce[11] = isLast ? 1 : 0
        return nonce
    }
}

extension SealedFile {
    /// Bytes of the content; nil if no content has so many bytes when sealed.
    var contentCount: Int? {
        let sealed = bytes.count - payloadStart - Payload.nonce
        let whole = Payload.chunk + Payload.tag
        guard sealed >= Payload.tag else { return nil }
        let last = sealed % whole
        // The last chunk is empty only if it is the first.
        guard last == 0 || last > Payload.tag || sealed == Payload.tag else { return nil }
        return sealed - (sealed + whole - 1) / whole * Payload.tag
    }

    /// Opens the content with the file's key, 16 bytes: all of it or nothing.
    @inline(never) package func open<Primitives: AgePrimitives>(
        key: borrowing SecretBytes, _: Primitives.Type
    ) throws(AgeError) -> SecretBytes {
        let macKey = Primitives.hkdfSHA256(key, salt: [], info: "header".bytes)
        guard isSameInConstantTime(Primitives.hmacSHA256(key: macKey, bytes[..<macEnd]), mac) else { throw .damaged(.mac) }
        guard let count = contentCount else { throw .damaged(.payload) }
        var from = payloadStart + Payload.nonce
        let key = Primitives.hkdfSHA256(key, salt: [UInt8](bytes[payloadStart..<from]), info: "payload".bytes)
        var content = SecretBytes(count: count)
        var to = 0, index = 0
        repeat {
            let size = min(Payload.chunk, count - to)
            let tag = [UInt8](bytes[from + size..<from + size + Payload.tag])
            let nonce = Payload.nonce(index, isLast: to + size == count)
            let isWhole = unsafe content.withMutableBytes { all in
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: all[to..<to + size])
                unsafe part.copyBytes(from: bytes[from..<from + size])
                return unsafe Primitives.open(part, tag: tag, key: key, nonce: nonce)
            }
            guard isWhole else { throw .damaged(.payload) }
            to += size
            from += size + Payload.tag
            index += 1
        } while to < count
        return content
    }
}
