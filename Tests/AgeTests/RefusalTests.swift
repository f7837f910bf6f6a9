import TestSupport
import Testing

@testable import Age
@testable import Sealing

/// A file that differs in anything from a sealed one does not open.
@Suite struct RefusalTests {
    private let content = Array("the database's password".utf8)

    /// Short, and with chunks that end at an edge.
    private func files(_ key: borrowing AgeIdentity) -> [[UInt8]] {
        var random = Seeded(1)
        return [seal(content, for: [key.recipient]), seal([], for: [key.recipient]), seal(random.bytes(65536), for: [key.recipient])]
    }

    /// All places of a short file; of a long one, its header and both ends of each part.
    private func places(_ file: [UInt8]) -> [Int] {
        file.count < 1000 ? Array(file.indices) : Array(0..<300) + Array(file.count - 20..<file.count)
    }

    @Test func `each byte counts`() {
        let key = identity(7)
        for file in files(key) {
            for place in places(file) {
                for bit in 0..<8 {
                    var changed = file
                    changed[place] ^= 1 << bit
                    #expect((try? opened(changed, key).get()) == nil, "byte \(place), bit \(bit)")
                }
            }
        }
    }

    @Test func `no part may be missing`() {
        let key = identity(7)
        for file in files(key) {
            for place in places(file) {
                #expect((try? opened(Array(file[..<place]), key).get()) == nil, "the first \(place) bytes")
                var changed = file
                changed.remove(at: place)
                #expect((try? opened(changed, key).get()) == nil, "without byte \(place)")
            }
        }
    }

    @Test func `nothing may be added`() {
        let key = identity(7)
        for file in files(key) {
            for place in places(file) + [file.count] {
                for byte: UInt8 in [0, 10, 13, 32, 61, 65, file[min(place, file.count - 1)]] {
                    var changed = file
                    changed.insert(byte, at: place)
                    #expect((try? opened(changed, key).get()) == nil, "\(byte) at \(place)")
                }
            }
        }
    }

    @Test func `chunks may not be left out, repeated or exchanged`() {
        let key = identity(7)
        var random = Seeded(2)
        let file = seal(random.bytes(3 * 65536), for: [key.recipient])
        let size = 65536 + 16, start = file.count - 3 * size
        let chunks = (0..<3).map { Array(file[(start + $0 * size)..<(start + ($0 + 1) * size)]) }
        let header = Array(file[..<start])
        #expect(
            opened(header + chunks[0] + chunks[1] + chunks[2], key)
                == .success(
                    {
                        var random = Seeded(2)
                        return random.bytes(3 * 65536)
                    }()))
        for order in [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 0, 2], [1, 0, 2], [0, 1, 2, 2], [0, 1, 1, 2]] {
            #expect(opened(header + order.flatMap { chunks[$0] }, key) == .failure(.damaged(.payload)), "\(order)")
        }
    }

    /// Lines of a header, each wrong in one way. The MAC matches, so only the form can cause the refusal.
    @Test(arguments: [
        // A body that is not base64, not in its one form, or padded.
        "-> x\nA\n", "-> x\nAB\n", "-> x\nAAB\n", "-> x\nAA==\n", "-> x\nAA=\n", "-> x\nA-\n", "-> x\n AAAA\n", "-> x\nAAAA \n",
        // Its lines: none, a long one, no short one at the end, one after the end.
        "-> x\n", "-> x\n\(String(repeating: "A", count: 68))\n", "-> x\n\(String(repeating: "A", count: 64))\n", "-> x\nAAAA\nAAAA\n",
        "-> x\n\n\n", "-> x\r\n\n", "-> x\n\r\n", "-> x\nAAAA\r\n",
        // Its arguments.
        "-> \n\n", "->\n\n", "->x\n\n", "->  x\n\n", "-> x  y\n\n", "-> x \n\n", "-> x\ty\n\n", "-> x\u{7f}\n\n", "-> é\n\n", "- > x\n\n",
        "--> x\n\n", " -> x\n\n", "\n",
        // Of the types that have a form.
        "-> X25519\n\n", "-> X25519 AAAA\nAAAA\n", "-> ssh-ed25519 AAAAAA\n\n", "-> ssh-rsa\n\n", "-> ssh-rsa AAAA\n\n",
        "-> ssh-rsa AAAAAA AAAA\n\n",
        "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n\n",
    ])
    func `a header has one form`(line: String) {
        let key = identity(7)
        func sealed(_ line: String) -> [UInt8] { seal(content, for: [key.recipient], others: [SealedStanza(verbatim: line)]) }
        #expect(opened(sealed("-> x y !\"~\n\(String(repeating: "A", count: 64))\nAAAA\n"), key) == .success(content))
        #expect(opened(sealed(line), key) == .failure(.damaged(.header)))
    }

    @Test func `a header has limits`() {
        let key = identity(7)
        func sealed(_ count: Int, _ line: String) -> [UInt8] {
            seal(content, for: [key.recipient], others: [SealedStanza(verbatim: String(repeating: line, count: count))])
        }
        #expect(opened(sealed(255, "-> x\n\n"), key) == .success(content))
        #expect(opened(sealed(256, "-> x\n\n"), key) == .failure(.damaged(.header)))
        let long = "-> " + String(repeating: "x", count: 40000) + "\n\n"
        #expect(opened(sealed(1, long), key) == .success(content))
        #expect(opened(sealed(2, long), key) == .failure(.damaged(.header)))
    }

    @Test func `a passphrase has an error of its own`() {
        let key = identity(7)
        let passphrase = SealedStanza(verbatim: "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 18\n\(String(repeating: "A", count: 43))\n")
        #expect(opened(seal(content, for: [], others: [passphrase]), key) == .failure(.passphrase))
        #expect(opened(seal(content, for: [], others: []), key) == .failure(.damaged(.header)))
    }

    @Test func `a share of low order is refused`() {
        let key = identity(7)
        for share in [[UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31)] {
            let line = "-> X25519 \(String(decoding: BareBase64.encode(share), as: UTF8.self))\n\(String(repeating: "A", count: 43))\n"
            #expect(opened(seal(content, for: [], others: [SealedStanza(verbatim: line)]), key) == .failure(.damaged(.stanza)))
        }
        #expect(AgeRecipient.age([UInt8](repeating: 0, count: 32)).seal(secret([UInt8](repeating: 1, count: 16)), Libcrypto.self) == nil)
    }

    @Test func `an unknown key and a damaged one have different errors`() {
        let other = identity(8), key = identity(7)
        let file = seal(content, for: [other.recipient])
        #expect(opened(file, key) == .failure(.noStanzaForKey))
        #expect(opened(file, other) == .success(content))
    }

    @Test func `Base64 has one form for each value`() {
        var random = Seeded(3)
        for count in 0..<200 {
            let bytes = random.bytes(count)
            let text = BareBase64.encode(bytes)
            #expect(BareBase64.decode(text[...]) == bytes)
            for place in text.indices {
                var other = text
                other[place] = UInt8.random(in: 0...255, using: &random)
                let decoded = BareBase64.decode(other[...])
                if !decoded.isEmpty { #expect(BareBase64.encode(decoded) == other) }
            }
        }
    }
}

extension SealedStanza {
    /// For what Deptool would not write.
    init(verbatim text: String) { self.init(text: Array(text.utf8)) }
}
