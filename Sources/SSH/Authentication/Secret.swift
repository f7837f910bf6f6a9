import CSystem

/// A passphrase, a password or a private key: in one place of memory, which is zeroed when nobody needs it any more.
///
/// It is never put into an array or a string, whose copies nobody could find.
@safe package final class Secret: Sendable {
    // Sendable, since nobody writes to it once it is made.
    private nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer
    package let count: Int

    /// How often anything is asked for again that was wrong, as OpenSSH and sudo do.
    package static let maximumTries = 3

    /// At most so many bytes, by what `fill` puts there: their number, nil if there is no secret.
    package init?(upTo most: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int?) {
        // With a zero behind it, as C wants it.
        unsafe memory = .allocate(byteCount: most + 1, alignment: 1)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        guard let count = unsafe fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<most])), (0...most).contains(count) else {
            self.count = 0
            return nil
        }
        self.count = count
    }

    /// For what is no secret, such as a yes.
    package convenience init?(_ text: StaticString) {
        unsafe self.init(upTo: text.utf8CodeUnitCount) { memory in
            unsafe memory.copyMemory(from: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
            return text.utf8CodeUnitCount
        }
    }

    deinit {
        unsafe csys_zero(memory.baseAddress, memory.count)
        unsafe memory.deallocate()
    }

    /// Lends the bytes; a zero follows them.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }

    /// What a person types at a terminal up to the end of the line, or what stands in a file up to its end.
    package enum End {
        case line, file
    }

    /// Reads at most so many bytes (read(2)), one at a time so that nothing behind a line is taken; nil when it has no end by
    /// then.
    package convenience init?(from descriptor: Int32, upTo most: Int, _ end: End) {
        unsafe self.init(upTo: most) { memory in
            var count = 0
            while true {
                var byte: UInt8 = 0
                let result = unsafe csys_read(descriptor, &byte, 1)
                if result == 0, end == .file { return count }
                guard result == 1 else { return nil }
                if byte == 0x0a, end == .line { return count }
                guard count < memory.count else { return nil }
                unsafe memory[count] = byte
                count += 1
            }
        }
    }
}
