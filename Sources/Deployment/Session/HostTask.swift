import Git
import Model
import SSH
import Wire

/// Work that is independent for each host, on all of them concurrently.
package struct HostTask: Sendable {
    private let hosts: [Hostname]
    private let access: Access
    private let interrupts: [Interrupt]

    package init(_ hosts: [Hostname], access: Access) throws(SSHError) {
        self.hosts = hosts
        self.access = access
        var interrupts: [Interrupt] = []
        for _ in hosts { interrupts.append(try Interrupt()) }
        self.interrupts = interrupts
    }

    /// Ends the work early.
    package func cancel() {
        for interrupt in interrupts { interrupt.fire() }
    }

    /// Logs in everywhere, calls `body` with each session, and `report` with its result, on that host's thread.
    func run<Success: Sendable>(
        _ report: @escaping @Sendable (Hostname, Result<Success, HostError>) -> Void = { _, _ in },
        _ body: @escaping @Sendable (Hostname, inout HostSession) throws(HostError) -> Success
    ) async -> [(host: Hostname, result: Result<Success, HostError>)] {
        await onEach { host, _, interrupt in
            let result = attempt(host, interrupt, body)
            report(host, result)
            return (host, result)
        }.sorted { $0.host < $1.host }
    }

    /// Calls `body` for each host on a thread of its own. Returns the results in the order of completion.
    func onEach<Result: Sendable>(_ body: @escaping @Sendable (Hostname, Access, Interrupt) -> Result) async -> [Result] {
        await withTaskGroup { group in
            for (host, interrupt) in zip(hosts, interrupts) {
                group.addTask { await onOwnThread { body(host, access, interrupt) } }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func attempt<Success>(
        _ host: Hostname, _ interrupt: Interrupt, _ body: (Hostname, inout HostSession) throws(HostError) -> Success
    ) -> Result<Success, HostError> {
        Result { () throws(HostError) in
            var session = try HostSession(
                host, access: access, prompts: access.prompts, interrupt: interrupt, report: { _ in })
            defer { session.close() }
            let result = try body(host, &session)
            session.hangUp()
            return result
        }
    }

    /// Logs in everywhere and calls `body`, which only ends by an error, with each session and a closure that waits
    /// for the pause. Then calls `failed`, and starts over after the pause, until cancelled.
    func repeatedly(
        _ pause: Duration,
        _ body: @escaping @Sendable (Hostname, inout HostSession, () throws(HostError) -> Void) throws(HostError) -> Void,
        failed: @escaping @Sendable (Hostname, HostError) -> Void
    ) async {
        _ = await onEach { host, _, interrupt in
            let wait = { () throws(HostError) in
                try overSSH(interrupt.pause(pause, deadline: .never))
            }
            while true {
                let result = attempt(host, interrupt) { (host, session) throws(HostError) in try body(host, &session, wait) }
                guard case .failure(let error) = result, error != .ssh(.interrupted) else { return }
                failed(host, error)
                guard (try? wait()) != nil else { return }
            }
        }
    }
}
