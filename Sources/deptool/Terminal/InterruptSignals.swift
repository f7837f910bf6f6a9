import CSystem
import Deployment
import Platform

/// Ctrl-C and SIGTERM.
enum InterruptSignals {
    private struct State {
        var body: (@Sendable (Int) -> Void)?
        /// Take precedence over the body, the last one first.
        var guests: [@Sendable (Int) -> Void] = []
        var count = 0
        /// Ends the program.
        var leave: @Sendable () -> Void = { csys_end_by_interrupt() }
        var isListening = false

        var isCaught: Bool { body != nil || !guests.isEmpty }
    }

    private static let state = Monitor(State())

    /// Calls `body` on a thread of its own at each interrupt from now on, with their number so far, instead of ending
    /// the program.
    static func handle(_ body: @escaping @Sendable (Int) -> Void) {
        change { state in
            state.body = body
            state.count = 0
        }
    }

    /// Lets Ctrl-C end the program again.
    static func ignore() {
        change { state in
            state.body = nil
            state.leave = { csys_end_by_interrupt() }
        }
    }

    /// Has `leave` end the program where a prompt is left with Ctrl-C.
    static func leaveWith(_ leave: @escaping @Sendable () -> Void) { state.update { $0.leave = leave } }

    /// Passes Ctrl-C to `body` while `work` runs.
    static func handled<Result>(by body: @escaping @Sendable (Int) -> Void, _ work: () throws -> Result) rethrows -> Result {
        change { $0.guests.append(body) }
        defer { change { _ = $0.guests.popLast() } }
        return try work()
    }

    /// Lets Ctrl-C end the program while `ask` waits for the operator. All prompts come before any host changes.
    static func leavingAtOnce<Result>(_ ask: () -> Result) -> Result {
        handled(
            by: { _ in
                // A passphrase prompt may have turned it off.
                _ = csys_set_echo(0, true)
                Terminal.write("\n")
                Terminal.flush(atMost: 100)
                state.update { $0.leave }()
            }, ask)
    }

    private static func change(_ body: (inout State) -> Void) {
        let mustListen = state.update { state in
            body(&state)
            csys_catch_interrupts(state.isCaught)
            defer { state.isListening = state.isListening || state.isCaught }
            return state.isCaught && !state.isListening
        }
        guard mustListen, !Thread.detach({ InterruptSignals.listen() }) else { return }
        csys_catch_interrupts(false)
    }

    private static func listen() {
        while csys_wait_interrupt() == 0 {
            let (body, count) = state.update { state in
                state.count += 1
                return (state.guests.last ?? state.body, state.count)
            }
            body?(count)
        }
    }
}

/// Ctrl-C and the like end the programs that `work` starts, but not this one before `work` has cleaned up. Returns whether Ctrl-C or
/// SIGTERM came: in an editor, Ctrl-C has a meaning of its own.
@discardableResult
func uninterrupted(_ work: () throws -> Void) rethrows -> Bool {
    let before = csys_interrupts()
    csys_ignore_hangup(true)
    defer { csys_ignore_hangup(false) }
    try InterruptSignals.handled(by: { _ in }, work)
    return csys_interrupts() != before
}
