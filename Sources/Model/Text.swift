// Text as Linux has it: bytes. Swift compares text by its appearance. The small, widely used functions here and
// elsewhere in the agent are never inlined, because the copies would make up a tenth of it.

@inline(never) package func isSameText(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

@inline(never) package func begins(_ bytes: ArraySlice<UInt8>, _ start: String) -> Bool { bytes.starts(with: Array(start.utf8)) }
@inline(never) package func begins(_ text: String, _ start: String) -> Bool { begins(Array(text.utf8)[...], start) }

/// The parts between separators.
@inline(never) package func pieces(
    _ bytes: ArraySlice<UInt8>, at separator: UInt8, most: Int = .max, withEmpty: Bool = false
) -> [ArraySlice<UInt8>] {
    bytes.split(separator: separator, maxSplits: most == .max ? .max : most - 1, omittingEmptySubsequences: !withEmpty)
}
@inline(never) package func pieces(_ text: String, at separator: UInt8) -> [ArraySlice<UInt8>] {
    pieces(Array(text.utf8)[...], at: separator)
}

@inline(never) package func text(_ bytes: Substring.UTF8View) -> String { String(decoding: bytes, as: UTF8.self) }
@inline(never) package func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

/// A program's arguments as `csys_spawn` takes them: each ends in a NUL.
@inline(never) package func packed(_ arguments: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for argument in arguments { bytes += Array(argument.utf8) + [0] }
    return bytes
}

/// `a/b`.
@inline(never) func joined(_ a: String, _ b: String) -> String { a + "/" + b }

@inline(never) func hash(_ text: String, into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
}
