import CSystem
import Model
import Wire

/// An open file or directory.
struct File: ~Copyable {
    let descriptor: Int32
    let path: AbsolutePath
    private let gate: (any OperationGate)?

    init(descriptor: Int32, path: AbsolutePath, gate: (any OperationGate)?) {
        self.descriptor = descriptor
        self.path = path
        self.gate = gate
    }

    deinit { _ = csys_close(descriptor) }

    /// The next bytes; empty at the end of the file.
    func read(upTo limit: Int) throws(AgentError) -> [UInt8] {
        var result: Int64 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            result = unsafe csys_read(descriptor, buffer.baseAddress, limit)
            count = max(0, Int(result))
        }
        if result < 0 { throw failed(.read, result) }
        return bytes
    }

    /// Passes the next `limit` bytes, or the rest of the file, to `body` in pieces, and returns their number. All pieces use
    /// the same buffer: for a new one each time, musl would have the kernel map memory, which costs as much as the read.
    @discardableResult
    func read(limit: UInt64 = .max, _ body: (UnsafeRawBufferPointer) throws(AgentError) -> Void) throws(AgentError) -> UInt64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Frame.contentLimit, alignment: 16)
        defer { unsafe buffer.deallocate() }
        var rest = limit
        while rest > 0 {
            let result = unsafe csys_read(descriptor, buffer.baseAddress, Int(min(rest, UInt64(buffer.count))))
            if result < 0 { throw failed(.read, result) }
            if result == 0 { break }
            try unsafe body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(result)]))
            rest -= UInt64(result)
        }
        return limit - rest
    }

    /// Writes all of `bytes`.
    func write(_ bytes: [UInt8]) throws(AgentError) { try write(bytes[...]) }

    func write(_ bytes: ArraySlice<UInt8>) throws(AgentError) {
        var rest = bytes
        while !rest.isEmpty {
            let written = try writing(rest.count) { count in
                unsafe rest.withUnsafeBytes { unsafe csys_write(descriptor, $0.baseAddress, count) }
            }
            rest = rest.dropFirst(written)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(AgentError) {
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: rest)
            unsafe rest = unsafe rest.dropFirst(try writing(bytes.count) { unsafe csys_write(descriptor, bytes.baseAddress, $0) })
        }
    }

    /// The number of bytes that `call` has written, given the number that it may write. `call` itself does not throw: a typed throw
    /// from a closure in a generic function such as `withUnsafeBufferPointer` crashes the agent on aarch64 (Embedded Swift 6.3).
    func writing(_ count: Int, _ call: (Int) -> Int64) throws(AgentError) -> Int {
        try pass(.write)
        let result = call(gate?.allowance(count) ?? count)
        if result < 0 { throw failed(.write, result) }
        return Int(result)
    }

    /// Starts to write data to disk that the kernel would keep in memory for half a minute, so that a sync finds little left to do.
    func startWriteback() { csys_start_writeback(descriptor) }

    func truncate() throws(AgentError) {
        try pass(.write)
        let result = csys_truncate(descriptor, 0)
        if result < 0 { throw failed(.write, Int64(result)) }
    }

    func rewind() throws(AgentError) {
        let result = csys_seek(descriptor, 0)
        if result < 0 { throw failed(.read, Int64(result)) }
    }

    func sync() throws(AgentError) {
        try pass(.sync)
        let result = csys_fsync(descriptor)
        if result < 0 { throw failed(.sync, Int64(result)) }
    }

    /// Takes the file's lock for this process and its forks; false if another process has it.
    func tryLock() throws(AgentError) -> Bool {
        try pass(.lock)
        let result = csys_try_lock(descriptor)
        if result == -csys_eagain() { return false }
        if result < 0 { throw failed(.lock, Int64(result)) }
        return true
    }

    func status() throws(AgentError) -> csys_stat {
        var status = csys_stat()
        let result = unsafe csys_fstat(descriptor, &status)
        if result < 0 { throw failed(.look, Int64(result)) }
        return status
    }

    func pass(_ operation: Operation) throws(AgentError) {
        if let code = gate?.pass(operation, path.text), code != 0 {
            throw AgentError(operation, path.text, code: code)
        }
    }

    func failed(_ operation: Operation, _ result: Int64) -> AgentError {
        AgentError(operation, path.text, code: Int32(-result))
    }
}
