import Platform

/// A child process in a process group of its own, ended on deinit.
final class Subprocess {
    private let process: ChildProcess
    private var status: Int32?

    /// Starts `arguments[0]`, found in `PATH`, without a shell (posix_spawnp(3)). In our session, it can prompt at our terminal.
    init(
        _ arguments: [String], in group: ChildProcess.Group = .own, input: Int32?, output: Int32, error: Int32
    ) throws(SSHError) {
        do throws(Errno) {
            process = try ChildProcess(arguments, in: group, input: input, output: output, error: error)
        } catch {
            if error == .noSuchFileOrDirectory, arguments.first == "ssh" { throw .sshNotFound }
            throw .system(operation: "posix_spawn", error)
        }
    }

    deinit { end() }

    /// Waits for the exit status, in a shell's numbering.
    func wait() -> Int32 {
        if let status { return status }
        let status = process.wait()
        self.status = status
        return status
    }

    /// Waits for the exit status until the deadline.
    func wait(until deadline: Deadline) -> Int32? {
        while status == nil {
            status = process.poll()
            if status != nil { break }
            if deadline.hasPassed { return nil }
            pause(milliseconds: 2)
        }
        return status
    }

    /// Gives it 50 ms to exit by itself, since its input has ended, then 200 ms after SIGTERM, then kills it.
    private func end() {
        guard wait(until: .after(.milliseconds(50))) == nil else { return }
        process.signalGroup(.terminate)
        guard wait(until: .after(.milliseconds(200))) == nil else { return }
        process.signalGroup(.kill)
        _ = wait()
    }
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
        var outputs = try attempt("pipe", try Pipe())
        var errors = try attempt("pipe", try Pipe())
        let process = try Subprocess(arguments, input: nil, output: outputs.writing.number, error: errors.writing.number)
        outputs.writing.close()
        errors.writing.close()

        var output = Collected(limit: limit), error = Collected(limit: limit)
        while !output.isAtEnd || !error.isAtEnd {
            let watched = output.isAtEnd ? errors.reading.number : outputs.reading.number
            let aside = output.isAtEnd || error.isAtEnd ? -1 : errors.reading.number
            let ready = try interrupt.wait(
                for: .readable, on: watched, asides: [aside], until: deadline, in: phase)
            if ready.isEmpty || output.isAtEnd {
                error.read(from: errors.reading)
            } else {
                output.read(from: outputs.reading)
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
    mutating func read(from file: borrowing FileDescriptor) {
        let chunk = (try? file.read(upTo: 8192)) ?? []
        if chunk.isEmpty { isAtEnd = true }
        bytes.append(contentsOf: chunk.prefix(max(limit - bytes.count, 0)))
    }
}
