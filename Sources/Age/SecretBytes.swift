import CSystem

/// Bytes that must not stay in memory: the only copy, zeroed on deinit.
///
/// There is no text, no hash, no `==` and no array of them: a copy could not be tracked.
@safe package struct SecretBytes: ~Copyable {
    /// A class, since an optimized build may skip the deinit of a struct inside another (see Platform's `FileDescriptor`).
    @safe private final class Memory {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ bytes: UnsafeMutableRawBufferPointer) { unsafe self.bytes = unsafe bytes }

        deinit {
            unsafe csys_zero(bytes.baseAddress, bytes.count)
            unsafe bytes.baseAddress?.deallocate()
        }
    }

    private let owner: Memory
    private var memory: UnsafeMutableRawBufferPointer { unsafe owner.bytes }

    /// That many zeros.
    @inline(never) package init(count: Int) {
        // Never empty, so that there is always an address for C.
        let all = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 8)
        unsafe all.initializeMemory(as: UInt8.self, repeating: 0)
        owner = unsafe Memory(UnsafeMutableRawBufferPointer(rebasing: all[..<count]))
    }

    @inline(never) package init(copying bytes: ArraySlice<UInt8>) {
        self.init(count: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
    }

    /// At most `maximum` bytes. `fill` writes them and returns their number; nil if there is no secret.
    package init?(upTo maximum: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int?) {
        let all = SecretBytes(count: maximum)
        guard let count = unsafe fill(all.memory), (0...maximum).contains(count) else { return nil }
        self = all[0..<count]
    }

    package var count: Int { unsafe memory.count }

    package subscript(index: Int) -> UInt8 {
        get {
            precondition(index >= 0 && index < count)
            return unsafe memory[index]
        }
        set {
            precondition(index >= 0 && index < count)
            unsafe memory[index] = newValue
        }
    }

    /// A copy of a part.
    package subscript(range: Range<Int>) -> SecretBytes {
        @inline(never) get {
            precondition(range.lowerBound >= 0 && range.upperBound <= count)
            let part = SecretBytes(count: range.count)
            unsafe part.memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[range]))
            return part
        }
    }

    /// Lends the bytes.
    package func withBytes<Result: ~Copyable>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(memory))
    }

    /// Lends the bytes, to be changed.
    package mutating func withMutableBytes<Result: ~Copyable>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        unsafe body(memory)
    }

    /// Lends the bytes.
    package func withSpan<Result: ~Copyable, Failure>(_ body: (Span<UInt8>) throws(Failure) -> Result) throws(Failure) -> Result {
        try unsafe body(UnsafeBufferPointer(memory.assumingMemoryBound(to: UInt8.self)).span)
    }

    /// Lends the bytes, to be changed.
    package mutating func withMutableSpan<Result: ~Copyable, Failure>(
        _ body: (inout MutableSpan<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var span = unsafe memory.assumingMemoryBound(to: UInt8.self).mutableSpan
        return try body(&span)
    }

    /// Compares in a time that depends on the lengths only.
    @inline(never) package func isSame(as other: borrowing SecretBytes) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<count { difference |= self[index] ^ other[index] }
        return difference == 0
    }

    /// Whether a public value, such as a public key, is at this place.
    @inline(never) func has(_ bytes: [UInt8], at start: Int) -> Bool {
        guard start >= 0, start <= count, bytes.count <= count - start else { return false }
        for (offset, byte) in bytes.enumerated() where self[start + offset] != byte { return false }
        return true
    }
}

/// Compares in a time that depends on the lengths only.
@inline(never) func isSameInConstantTime(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<a.count { difference |= a[index] ^ b[index] }
    return difference == 0
}
