import Platform

/// A passphrase, a password or a private key, in a single place in memory that is zeroed on deinit.
///
/// It is never put into an array or a string, whose copies cannot be tracked.
@safe package final class Secret: Sendable {
    // Sendable because the memory is immutable after init.
    private nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer
    package let count: Int

    /// Maximum attempts at any prompt, as in OpenSSH and sudo.
    package static let maximumTries = 3

    /// At most `maximum` bytes, which `fill` appends; nil if it returns false.
    package init?<Failure>(upTo maximum: Int, _ fill: (inout OutputSpan<UInt8>) throws(Failure) -> Bool) throws(Failure) {
        // With a terminating zero for C.
        unsafe memory = .allocate(byteCount: maximum + 1, alignment: 1)
        let zeros = unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        let room = unsafe UnsafeMutableBufferPointer(rebasing: zeros[..<maximum])
        var bytes = unsafe OutputSpan(buffer: room, initializedCount: 0)
        do throws(Failure) {
            guard try fill(&bytes) else {
                count = 0
                return nil
            }
        } catch {
            count = 0
            throw error
        }
        count = unsafe bytes.finalize(for: room)
    }

    /// For values that are not secret, such as a yes.
    package convenience init?(_ text: StaticString) {
        self.init(upTo: text.utf8CodeUnitCount) { bytes in
            for index in 0..<text.utf8CodeUnitCount { bytes.append(unsafe text.utf8Start[index]) }
            return true
        }
    }

    deinit {
        unsafe zero(memory)
        unsafe memory.deallocate()
    }

    /// Lends the bytes.
    package func withSpan<Result, Failure>(_ body: (Span<UInt8>) throws(Failure) -> Result) throws(Failure) -> Result {
        try unsafe body(UnsafeBufferPointer(rebasing: memory.assumingMemoryBound(to: UInt8.self)[..<count]).span)
    }

    /// Lends the bytes, followed by a zero.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }

    /// Where the secret ends: at the end of a line typed at a terminal, or at the end of a file.
    package enum End {
        case line, file
    }

    /// Reads at most `maximum` bytes (read(2)), one at a time so that it never consumes bytes after a line. Nil if it
    /// does not reach the end by then.
    package convenience init?(from file: borrowing FileDescriptor, upTo maximum: Int, _ end: End) {
        self.init(upTo: maximum) { bytes in
            while true {
                let byte: UInt8?
                do throws(Errno) { byte = try file.readByte() } catch { return false }
                guard let byte else { return end == .file }
                if byte == 0x0a, end == .line { return true }
                guard !bytes.isFull else { return false }
                bytes.append(byte)
            }
        }
    }
}
