// Text as Linux has it: bytes. Swift compares text by its appearance. The small, widely used functions here and
// elsewhere in the agent are never inlined, because the copies would make up a tenth of it.

@inline(never) package func isSameText(_ a: String, _ b: String) -> Bool {
    var (a, b) = (a, b)
    return a.withUTF8 { a in b.withUTF8 { b in unsafe a.elementsEqual(b) } }
}
@inline(never) package func isSameText(_ a: String?, _ b: String?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return isSameText(a, b)
}

@inline(never) package func has(_ texts: [String], _ text: String) -> Bool { texts.contains { isSameText($0, text) } }

extension String {
    /// An array needs less code than `utf8`, which also supports strings of UTF-16.
    package var bytes: [UInt8] {
        @inline(never) get {
            var text = self
            return text.withUTF8 { unsafe Array($0) }
        }
    }
}

@inline(never) package func begins(_ bytes: ArraySlice<UInt8>, _ start: String) -> Bool { bytes.starts(with: start.bytes) }
@inline(never) package func begins(_ text: String, _ start: String) -> Bool {
    var (text, start) = (text, start)
    return text.withUTF8 { text in start.withUTF8 { start in unsafe text.starts(with: start) } }
}

@inline(never) package func ends(_ text: String, _ end: String) -> Bool { begins(text.bytes.suffix(end.utf8.count), end) }

/// The parts between separators.
@inline(never) package func pieces(
    _ bytes: ArraySlice<UInt8>, at separator: UInt8, maximum: Int = .max, withEmpty: Bool = false
) -> [ArraySlice<UInt8>] {
    bytes.split(separator: separator, maxSplits: maximum == .max ? .max : maximum - 1, omittingEmptySubsequences: !withEmpty)
}
@inline(never) package func pieces(_ text: String, at separator: UInt8) -> [ArraySlice<UInt8>] {
    pieces(text.bytes[...], at: separator)
}

@inline(never) package func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

/// A number of decimal digits only; nil if the text is not one, or too large. `Int(_: String)` would be 1.5 KB of the agent.
@inline(never) package func decimal(_ bytes: ArraySlice<UInt8>) -> Int64? {
    guard !bytes.isEmpty else { return nil }
    var number: Int64 = 0
    for byte in bytes {
        guard 0x30...0x39 ~= byte, number <= (Int64.max - 9) / 10 else { return nil }
        number = number * 10 + Int64(byte - 0x30)
    }
    return number
}

/// A program's arguments as `csys_spawn` takes them: each ends in a NUL.
@inline(never) package func packed(_ arguments: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for argument in arguments { bytes += argument.bytes + [0] }
    return bytes
}

/// `a/b`.
@inline(never) func joined(_ a: String, _ b: String) -> String { a + "/" + b }

@inline(never) func hash(_ text: String, into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
}
