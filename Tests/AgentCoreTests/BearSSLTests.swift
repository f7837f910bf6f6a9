import Age
import AgentCore
import Sealing
import TestSupport
import Testing

/// The host's primitives give the same results as those of the operator's machine.
@Suite struct BearSSLTests {
    private func secret(_ count: Int, _ random: inout Seeded) -> SecretBytes { SecretBytes(copying: random.bytes(count)[...]) }

    private func bytes(_ secret: borrowing SecretBytes) -> [UInt8] { secret.withBytes { [UInt8]($0) } }

    @Test func `digests and keys are the same`() {
        var random = Seeded()
        for count in Array(0...200) + [1000, 4096, 70_000] {
            let place = Comment(rawValue: "seed \(random.seed), \(count) bytes")
            let text = random.bytes(count)
            let (key, salt, info) = (random.bytes(count % 150), random.bytes(count % 97), random.bytes(count % 41))
            #expect(BearSSL.sha256(text) == Libcrypto.sha256(text), place)
            #expect(
                bytes(BearSSL.sha512(SecretBytes(copying: text[...]))) == bytes(Libcrypto.sha512(SecretBytes(copying: text[...]))), place)
            #expect(
                BearSSL.hmacSHA256(key: SecretBytes(copying: key[...]), text[...])
                    == Libcrypto.hmacSHA256(key: SecretBytes(copying: key[...]), text[...]), place)
            let (one, other) = (
                bytes(BearSSL.hkdfSHA256(SecretBytes(copying: key[...]), salt: salt, info: info)),
                bytes(Libcrypto.hkdfSHA256(SecretBytes(copying: key[...]), salt: salt, info: info))
            )
            #expect(one == other, place)
        }
    }

    @Test func `points are the same, including those that must not be used`() {
        var random = Seeded()
        // Of small order, not reduced, and at the ends (RFC 7748, 5 and 6.1).
        var points: [[UInt8]] = []
        for low: UInt8 in [0, 1, 9, 0xEC, 0xED, 0xEE, 0xFF] {
            for high: UInt8 in [0x00, 0x7F, 0x80, 0xFF] {
                let middle: UInt8 = high & 0x7F == 0 ? 0 : 0xFF
                points.append([low] + [UInt8](repeating: middle, count: 30) + [high])
            }
        }
        for _ in 0..<200 { points.append(random.bytes(32)) }
        for point in points {
            let scalar = random.bytes(32)
            let one = BearSSL.x25519(scalar: SecretBytes(copying: scalar[...]), point: SecretBytes(copying: point[...]))
            let other = Libcrypto.x25519(scalar: SecretBytes(copying: scalar[...]), point: SecretBytes(copying: point[...]))
            let place = Comment(rawValue: "seed \(random.seed), \(point)")
            #expect((one == nil) == (other == nil), place)
            if let one, let other { #expect(bytes(one) == bytes(other), place) }
        }
    }

    @Test func `each implementation opens what the other sealed, and no other text`() {
        var random = Seeded()
        for count in [0, 1, 15, 16, 17, 63, 64, 65, 255, 1000, 65536] {
            let (text, key, nonce) = (random.bytes(count), random.bytes(32), random.bytes(12))
            var sealed = SecretBytes(copying: text[...])
            let tag = sealed.withMutableBytes { Libcrypto.seal($0, key: SecretBytes(copying: key[...]), nonce: nonce) }
            let cipher = bytes(sealed)
            func open(_ cipher: [UInt8], _ tag: [UInt8], _ nonce: [UInt8]) -> [UInt8]? {
                var opened = SecretBytes(copying: cipher[...])
                let isOpen = opened.withMutableBytes { BearSSL.open($0, tag: tag, key: SecretBytes(copying: key[...]), nonce: nonce) }
                return isOpen ? bytes(opened) : nil
            }
            #expect(open(cipher, tag, nonce) == text)
            for bit in 0..<128 {
                var other = tag
                other[bit / 8] ^= 1 << (bit % 8)
                #expect(open(cipher, other, nonce) == nil)
            }
            if count > 0 {
                var other = cipher
                other[random.int(0...count - 1)] ^= 1
                #expect(open(other, tag, nonce) == nil)
            }
            var other = nonce
            other[random.int(0...11)] ^= 1
            #expect(open(cipher, tag, other) == nil)
        }
    }
}
