import CSystem

/// A passphrase, a password or a private key, in a single place in memory that is zeroed on deinit.
///
/// It is never put into an array or a string, whose copies cannot be tracked.
@safe package final class Secret: Sendable {
    // Sendable because the memory is immutable after init.
    private nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer
    package let count: Int

    /// Maximum attempts at any prompt, as in OpenSSH and sudo.
    package static let maximumTries = 3

    /// At most `most` bytes. `fill` writes them and returns their number; nil if there is no secret.
    package init?(upTo most: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int?) {
        // With a terminating zero for C.
        unsafe memory = .allocate(byteCount: most + 1, alignment: 1)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        guard let count = unsafe fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<most])), (0...most).contains(count) else {
            self.count = 0
            return nil
        }
        self.count = count
    }

    /// For values that are not secret, such as a yes.
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

    /// Lends the bytes, followed by a zero.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }

    /// Where the secret ends: at the end of a line typed at a terminal, or at the end of a file.
    package enum End {
        case line, file
    }

    /// Reads at most `most` bytes (read(2)), one at a time so that it never consumes bytes after a line. Nil if it
    /// does not reach the end by then.
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
