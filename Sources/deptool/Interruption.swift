import CSystem
import Synchronization

/// Ctrl-C, and the signal that ends programs.
enum Interruption {
    private struct State {
        var body: (@Sendable (Int) -> Void)?
        var count = 0
        var isListening = false
    }

    private static let state = Mutex(State())

    /// From now on, calls `body` on a thread of its own at each, with how many there were, instead of ending the program.
    static func handle(_ body: @escaping @Sendable (Int) -> Void) {
        let mustListen = state.withLock { state in
            state.body = body
            state.count = 0
            defer { state.isListening = true }
            return !state.isListening
        }
        csys_catch_interrupts(true)
        guard mustListen else { return }
        let status = csys_thread_start({ _ in Interruption.listen() }, nil)
        if status != 0 { csys_catch_interrupts(false) }
    }

    /// Ctrl-C ends the program again.
    static func ignore() {
        csys_catch_interrupts(false)
        state.withLock { $0.body = nil }
    }

    /// For as long as `work` runs, Ctrl-C is for `body`.
    static func handled<Result>(by body: @escaping @Sendable (Int) -> Void, _ work: () throws -> Result) rethrows -> Result {
        let before = state.withLock { $0.body }
        handle(body)
        defer { if let before { handle(before) } else { ignore() } }
        return try work()
    }

    /// Lets Ctrl-C end the program while `ask` waits for the operator. Whatever is asked is asked before any host is changed.
    static func leavingAtOnce<Result>(_ ask: () -> Result) -> Result {
        handled(
            by: { _ in
                // A passphrase may have been asked for.
                _ = csys_set_echo(0, true)
                Terminal.write("\n")
                csys_exit(130)
            }, ask)
    }

    private static func listen() {
        while csys_wait_interrupt() == 0 {
            let (body, count) = state.withLock { state in
                state.count += 1
                return (state.body, state.count)
            }
            body?(count)
        }
    }
}
