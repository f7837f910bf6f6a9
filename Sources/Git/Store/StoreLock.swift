import Platform

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
final class StoreLock {
    private var file: FileDescriptor

    /// Nil if another process or thread holds the lock until the timeout.
    init?(_ path: String, timeout: Duration) throws(StoreError) {
        file = try attempt("open", path, try FileDescriptor(appendingTo: path, mode: 0o600))
        let end = MonotonicClock.now + timeout
        while true {
            do throws(Errno) { try file.tryLock() } catch {
                guard error == .wouldBlock else { throw .file("lock", path: path, error) }
                guard MonotonicClock.now < end else { return nil }
                pause(milliseconds: 2)
                continue
            }
            return
        }
    }

    func release() { file.close() }
}

/// Retries for some seconds while git(1) has locked the file to write; Deptool's own processes lock the store.
func retrying<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
    let end = MonotonicClock.now + .seconds(5)
    while true {
        do throws(StoreError) {
            return try body()
        } catch .busy(let reason) {
            guard MonotonicClock.now < end else { throw .busy(reason) }
            pause(milliseconds: 10)
        }
    }
}
