import CSystem
import Model
import Wire

/// Runs the host's programs with fixed arguments, never through a shell, and watches for interruptions meanwhile.
package final class Command {
    /// The result of a program: its exit status, or 128 + signal, and at most `outputLimit` bytes of its output.
    struct Result {
        var status: Int
        var output: [UInt8]

        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// In bytes. Messages show less. A line of `systemctl list-units` can have 4 KB, and users can mount a thousand file systems (FUSE).
    static let outputLimit = 16 << 20

    private let system: System
    /// Reports a request to stop.
    private let interruption: any Interruption
    /// The directory in which to run programs that are not trusted, in a copy of the host; nil for the host's own.
    private let confinement: AbsolutePath?

    init(system: System, interruption: any Interruption, confinement: AbsolutePath? = nil) {
        self.system = system
        self.interruption = interruption
        self.confinement = confinement
    }

    /// Runs a program and waits for it, at most `limit`.
    ///
    /// Kills the program when the time is over, on an interruption unless `interrupts` is false, or if `everySecond`
    /// throws; jobs that it requested from systemd continue. `everySecond` gets the number of seconds since the start.
    func run(
        _ arguments: [String], limit: Duration = .seconds(90), heeding interrupts: Bool = true,
        everySecond: ((Int) throws(AgentError) -> Void)? = nil
    ) throws(AgentError) -> Result {
        try start(arguments) { pid, output throws(AgentError) in
            let begun = csys_monotonic_ns()
            let whole = Int64(limit.wholeMilliseconds)
            var seconds: Int64 = 0
            var collected: [UInt8] = []
            // A program may close its output and run on.
            var isOpen = true
            var pause: Int64 = 1
            while true {
                if !isOpen {
                    let status = csys_wait(pid, false)
                    if status != -Int32(csys_eagain()) { return Result(status: Int(status), output: collected) }
                }
                if interrupts, let reason = interruption.reason { throw AgentError(reason) }
                let elapsed = (csys_monotonic_ns() - begun) / 1_000_000
                var remaining = whole - elapsed
                if let everySecond {
                    if elapsed / 1000 > seconds {
                        seconds = elapsed / 1000
                        try everySecond(Int(seconds))
                        continue
                    }
                    remaining = min(remaining, (seconds + 1) * 1000 - elapsed)
                }
                guard remaining > 0 else {
                    throw AgentError(.timeout(arguments: arguments, seconds: Int(limit.wholeMilliseconds / 1000)))
                }
                if !isOpen {
                    remaining = min(remaining, pause)
                    pause = min(pause * 2, 100)
                }
                var items = [
                    csys_poll_item(fd: isOpen ? output : -1, readable: true, writable: false),
                    csys_poll_item(fd: interrupts ? interruption.descriptor : -1, readable: true, writable: false),
                ]
                _ = unsafe csys_poll(&items, items.count, remaining)
                guard items[0].readable else { continue }
                var buffer = [UInt8](repeating: 0, count: 16384)
                let count = unsafe csys_read(output, &buffer, buffer.count)
                if count > 0 {
                    if collected.count < Self.outputLimit { collected += buffer[..<Int(count)] }
                } else {
                    isOpen = false
                }
            }
        }
    }

    /// Starts the program, passes its pid and the read end of its output to `body`, and leaves nothing running.
    private func start(
        _ arguments: [String], _ body: (Int32, Int32) throws(AgentError) -> Result
    ) throws(AgentError) -> Result {
        var (output, input, null): (Int32, Int32, Int32) = (-1, -1, -1)
        defer { for descriptor in [output, input, null] where descriptor >= 0 { _ = csys_close(descriptor) } }
        let piped = unsafe csys_pipe(&output, &input)
        null = csys_open_null()
        let pid: Int32
        if piped < 0 {
            pid = piped
        } else if null < 0 {
            pid = null
        } else {
            pid = spawn(arguments, null: null, output: input)
        }
        guard pid > 0 else {
            throw AgentError(.run, arguments.first ?? "", code: -pid)
        }
        _ = csys_close(input)
        input = -1
        do {
            return try body(pid, output)
        } catch {
            _ = csys_kill_group(pid, 9)
            _ = csys_wait(pid, true)
            throw error
        }
    }

    private func spawn(_ arguments: [String], null: Int32, output: Int32) -> Int32 {
        let obstacle = system.obstacle(.run, arguments.first ?? "")
        if obstacle != 0 { return -obstacle }
        system.forget()
        return unsafe packed(arguments).withUnsafeBytes { buffer in
            if let confinement {
                return unsafe csys_future_run(
                    buffer.baseAddress, buffer.count, arguments.count, confinement.text, null, output, Self.keepsNetworkPrivilege(arguments)
                )
            }
            return unsafe csys_spawn(buffer.baseAddress, buffer.count, arguments.count, null, output, output)
        }
    }
}

/// Decides whether a transaction should continue: the operator may cancel or disconnect.
package protocol Interruption: AnyObject {
    /// The reason to stop, `cancelled` or `disconnected`; nil to continue.
    var reason: Problem? { get }
    /// Becomes readable when there may be a reason; negative if there is nothing to wait for.
    var descriptor: Int32 { get }
}

/// An interruption that never comes.
final class Uninterrupted: Interruption {
    var reason: Problem? { nil }
    var descriptor: Int32 { -1 }
}
