import CSystem
import Model

/// A child process in a process group of its own, ended on deinit.
final class Subprocess {
    private let pid: Int32
    private var status: Int32?

    enum Session {
        /// Our session, so that it can prompt at our terminal.
        case shared
        /// A session of its own, without a terminal.
        case own
    }

    /// Starts `arguments[0]`, found in `PATH`, without a shell (posix_spawnp(3)).
    init(
        _ arguments: [String], session: Session = .shared, input: Int32, output: Int32, error: Int32
    ) throws(SSHError) {
        let spawn = unsafe session == .own ? csys_spawn_session : csys_spawn
        let result = unsafe packed(arguments).withUnsafeBytes { buffer in
            unsafe spawn(buffer.baseAddress, buffer.count, arguments.count, input, output, error)
        }
        if result == -Int32(csys_enoent), arguments.first == "ssh" { throw .sshNotFound }
        pid = try check("posix_spawn", result)
    }

    deinit { end() }

    /// Waits for the exit status, in a shell's numbering.
    func wait() -> Int32 {
        if let status { return status }
        let status = csys_wait(pid, true)
        self.status = status
        return status
    }

    /// Waits for the exit status until the deadline.
    func wait(until deadline: Deadline) -> Int32? {
        while status == nil {
            let result = csys_wait(pid, false)
            if result != -csys_eagain() {
                status = result
            } else if deadline.hasPassed {
                return nil
            } else {
                _ = csys_poll(nil, 0, 2)
            }
        }
        return status
    }

    /// Gives it 50 ms to exit by itself, since its input has ended, then 200 ms after SIGTERM, then kills it.
    private func end() {
        guard wait(until: .after(.milliseconds(50))) == nil else { return }
        csys_kill_group(pid, SubprocessSignal.terminate.rawValue)
        guard wait(until: .after(.milliseconds(200))) == nil else { return }
        csys_kill_group(pid, SubprocessSignal.kill.rawValue)
        _ = wait()
    }
}

private enum SubprocessSignal: Int32 {
    case kill = 9
    case terminate = 15
}

/// A program's output and exit status.
struct Finished {
    let status: Int32
    let output: [UInt8]
    let error: [UInt8]
}

extension Subprocess {
    /// Runs a program to its end, with nothing on its standard input. Keeps the first `limit` bytes of each stream.
    static func run(
        _ arguments: [String], limit: Int, interrupt: Interrupt, deadline: Deadline, phase: Phase
    ) throws(SSHError) -> Finished {
        let (outputEnd, outputStart) = try Descriptor.pipe()
        let (errorEnd, errorStart) = try Descriptor.pipe()
        let null = Descriptor(try check("open", csys_open_null()))
        let process = try Subprocess(
            arguments, input: null.number, output: outputStart.number, error: errorStart.number)
        outputStart.close()
        errorStart.close()

        var output = Collected(limit: limit), error = Collected(limit: limit)
        while !output.isAtEnd || !error.isAtEnd {
            let watched = output.isAtEnd ? errorEnd.number : outputEnd.number
            let aside = output.isAtEnd || error.isAtEnd ? -1 : errorEnd.number
            let ready = try interrupt.wait(
                for: .readable, on: watched, asides: [aside], until: deadline, in: phase)
            if ready.isEmpty || output.isAtEnd {
                error.read(from: errorEnd.number)
            } else {
                output.read(from: outputEnd.number)
            }
        }
        return Finished(status: process.wait(), output: output.bytes, error: error.bytes)
    }
}

/// The beginning of a stream.
struct Collected {
    private(set) var bytes: [UInt8] = []
    private(set) var isAtEnd = false
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Reads once from a readable descriptor.
    mutating func read(from descriptor: Int32) {
        var count = 0
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 8192) { buffer, filled in
            count = Int(unsafe csys_read(descriptor, buffer.baseAddress, buffer.count))
            filled = max(count, 0)
        }
        if count <= 0 { isAtEnd = true }
        bytes.append(contentsOf: chunk.prefix(max(limit - bytes.count, 0)))
    }
}
