import CSystem

extension Store {
    /// Runs `body` exclusively among all threads and processes that have the store open. For brief work that waits
    /// for no host or person. Reentrant within `body`.
    package func exclusively<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        if isLocked { return try body() }
        let name = path + "/lock"
        guard let lock = try StoreLock(name, timeout: .seconds(60)) else { throw .busy("\(name) is locked") }
        isLocked = true
        defer {
            isLocked = false
            lock.release()
        }
        return try body()
    }
}

/// A flock(2) on a file, which the kernel releases when the process ends.
struct StoreLock {
    private let descriptor: Int32

    /// Nil if another process or thread holds the lock until the timeout.
    init?(_ path: String, timeout: Duration) throws(StoreError) {
        descriptor = unsafe csys_open_append(path, 0o600)
        guard descriptor >= 0 else { throw .file("open", path: path, errno: -descriptor) }
        let begun = csys_monotonic_ns()
        while true {
            let result = csys_try_lock(descriptor)
            if result == 0 { return }
            guard result == -csys_eagain() else {
                csys_close(descriptor)
                throw .file("lock", path: path, errno: -result)
            }
            guard Duration.nanoseconds(csys_monotonic_ns() - begun) < timeout else {
                csys_close(descriptor)
                return nil
            }
            // In milliseconds.
            _ = csys_poll(nil, 0, 2)
        }
    }

    func release() { csys_close(descriptor) }
}

/// Retries for some seconds while git(1) has locked the file to write; Deptool's own processes lock the store.
func retrying<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
    let begun = csys_monotonic_ns()
    while true {
        do throws(StoreError) {
            return try body()
        } catch .busy(let reason) {
            guard Duration.nanoseconds(csys_monotonic_ns() - begun) < .seconds(5) else { throw .busy(reason) }
            _ = csys_poll(nil, 0, 10)
        }
    }
}
