import Platform

/// Runs blocking work on a thread of its own, and suspends until it is done: Swift's pool has only as many threads as
/// the machine has cores. On return, the thread and its libraries' thread-local data are gone.
package func onOwnThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    var thread: Platform.Thread?
    let result = await withCheckedContinuation { continuation in
        let body: @Sendable () -> Void = { continuation.resume(returning: work()) }
        thread = Thread(body)
        // No thread available: running late on this one is better than not at all.
        if thread == nil { body() }
    }
    // The thread has nothing left to do but end.
    thread?.join()
    return result
}
