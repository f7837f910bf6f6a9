import TestSupport

extension Seeded {
    /// One of the samples, changed in a few places the way damaged, lying and hostile input is.
    mutating func mutate(_ samples: [[UInt8]]) -> [UInt8] {
        guard var bytes = samples.randomElement(using: &self) else { return [] }
        for _ in 0..<Int.random(in: 1...6, using: &self) { change(&bytes, samples) }
        return bytes
    }

    /// Bytes that decoders often get wrong: extremes, ends of lines and strings, separators, escapes, beginnings of wide characters.
    private static var interesting: [[UInt8]] {
        [
            [0], [0xff], [0x7f], [0x80], [10], [13], [27], [0xff, 0xff, 0xff, 0xff], [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], [0xc3], [0xf0, 0x90], [0xed, 0xa0, 0x80],
            Array("../".utf8), Array("/".utf8), Array("\"".utf8), Array("\\".utf8), Array(" ".utf8), Array("=".utf8),
            Array("|1|".utf8), Array("*".utf8), Array("!".utf8), Array("%h".utf8), Array("[".utf8), Array("{".utf8),
            Array("\u{1b}[2J".utf8),
        ]
    }

    private mutating func place(_ count: Int) -> Int { count == 0 ? 0 : Int.random(in: 0..<count, using: &self) }

    private mutating func change(_ bytes: inout [UInt8], _ samples: [[UInt8]]) {
        let at = place(bytes.count)
        let end = min(bytes.count, at + 1 + place(1 << Int.random(in: 0...8, using: &self)))
        switch Int.random(in: 0...8, using: &self) {
        case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &self)
        case 1 where at < bytes.count: bytes[at] = .random(in: 0...255, using: &self)
        case 2 where at < bytes.count: bytes[at] &+= Bool.random(using: &self) ? 1 : 255
        case 3: bytes.insert(contentsOf: Self.interesting.randomElement(using: &self) ?? [], at: at)
        case 4:
            for (offset, byte) in (Self.interesting.randomElement(using: &self) ?? []).enumerated() where at + offset < bytes.count {
                bytes[at + offset] = byte
            }
        case 5: bytes.removeSubrange(at..<end)
        case 6: bytes.insert(contentsOf: bytes[at..<end], at: place(bytes.count))
        case 7: bytes.removeSubrange(at...)
        default:
            guard let other = samples.randomElement(using: &self) else { return }
            bytes.replaceSubrange(at..., with: other[place(other.count)...])
        }
        if bytes.count > 1 << 16 { bytes.removeSubrange((1 << 16)...) }
    }
}
