import CSystem
import Foundation
import Glibc

/// A program's output and exit status.
struct Output: Equatable, CustomStringConvertible {
    /// As a shell counts it: the exit code, or 128 and the signal.
    var code: Int32
    /// The standard output; on a terminal, everything shown.
    var text: String
    var errors: String

    var description: String { "exit \(code)\n\(text)\(errors.isEmpty ? "" : "--- standard error\n" + errors)" }
}

/// A program that runs, over pipes or on a terminal of its own.
///
/// It never outlives the site it works in (`Site`), whatever happens to the test.
final class Program {
    enum Console {
        /// Standard input is empty.
        case pipes
        /// A terminal without echo, of 100 columns and 40 rows.
        case terminal
    }

    struct Timeout: Error, CustomStringConvertible {
        var waitedFor: String
        var output: String
        var description: String { "waited in vain for \(waitedFor); there was:\n\(output)" }
    }

    let pid: pid_t
    /// The terminal's other end, or the reading ends of standard output and error.
    private var sources: [Source]
    private let terminal: Int32?
    private var status: Int32?
    /// How much of the output `expect` has gone past.
    private var seen = 0

    private struct Source {
        let descriptor: Int32
        var bytes: [UInt8] = []
        var isOpen = true
    }

    init(
        _ arguments: [String], in directory: String = "/", environment: [String: String], console: Console = .pipes
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // `swift test` ignores SIGPIPE, and so would every program in a pipeline of a script.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        // Threads of tests block signals: a shell would wait for its children without end.
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        posix_spawnattr_setsigmask(&attributes, &unblocked)
        let flags = Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, flags)

        var theirs: [Int32] = []
        switch console {
        case .pipes:
            let (output, error) = (try makePipe(), try makePipe())
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, output.writing, 1)
            posix_spawn_file_actions_adddup2(&actions, error.writing, 2)
            sources = [Source(descriptor: output.reading), Source(descriptor: error.reading)]
            terminal = nil
            theirs = [output.writing, error.writing]
        case .terminal:
            let (master, slave, path) = try makeTerminal()
            // The first terminal that a session's leader opens is the one whose keys reach it.
            posix_spawnattr_setflags(&attributes, Linux.spawnInNewSession | flags)
            posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
            sources = [Source(descriptor: master)]
            terminal = master
            theirs = [slave]
        }
        defer { for descriptor in theirs { close(descriptor) } }
        keepDescriptors()

        let arguments = ["env", "--chdir=\(directory)"] + arguments
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var child: pid_t = 0
        let result = posix_spawnp(&child, "env", &actions, &attributes, &words, &variables)
        pid = child
        guard result == 0 else { throw POSIXError(.ENOENT) }
    }

    deinit {
        if status == nil { kill(pid, SIGKILL) }
        _ = wait()
        for source in sources { close(source.descriptor) }
    }

    /// All that was written so far, on standard output or the terminal.
    var text: String { String(decoding: sources[0].bytes, as: UTF8.self) }

    /// Waits until the output has this text, behind the last expected one.
    func expect(_ expected: String, within limit: Duration = .seconds(300)) throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let rest = sources[0].bytes[seen...]
            if let range = rest.firstRange(of: Array(expected.utf8)) {
                seen = range.upperBound
                return
            }
            guard try pump(until: deadline) else { throw Timeout(waitedFor: "'\(expected)'", output: text) }
        }
    }

    /// Types on the terminal.
    func type(_ keys: String) {
        guard let terminal else { return }
        let bytes = Array(keys.utf8)
        _ = write(terminal, bytes, bytes.count)
    }

    func type(line: String) { type(line + "\n") }

    /// Takes the terminal away, and waits for the end; the status.
    func hangUp(within limit: Duration) throws -> Int32 {
        for source in sources { close(source.descriptor) }
        sources = []
        let deadline = ContinuousClock.now + limit
        var information = siginfo_t()
        while .now < deadline {
            information.si_signo = 0
            if waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0, information.si_signo != 0 { return wait() }
            usleep(50_000)
        }
        throw Timeout(waitedFor: "the end without a terminal", output: "")
    }

    func signal(_ signal: Int32) { kill(pid, signal) }

    /// Waits for the end.
    func finish(within limit: Duration = .seconds(600)) throws -> Output {
        let deadline = ContinuousClock.now + limit
        while try pump(until: deadline) {}
        guard !sources.contains(where: \.isOpen) else {
            kill(pid, SIGKILL)
            let all = sources.map { String(decoding: $0.bytes, as: UTF8.self) }
            throw Timeout(waitedFor: "the end", output: all.joined(separator: "\n"))
        }
        return Output(
            code: wait(), text: text, errors: sources.count > 1 ? String(decoding: sources[1].bytes, as: UTF8.self) : "")
    }

    /// Reads what there is. False when there will be nothing more, or nothing came in time.
    private func pump(until deadline: ContinuousClock.Instant) throws -> Bool {
        var items = sources.map { pollfd(fd: $0.isOpen ? $0.descriptor : -1, events: Int16(POLLIN), revents: 0) }
        guard sources.contains(where: \.isOpen) else { return false }
        let remaining = max(0, (deadline - .now) / .milliseconds(1))
        let ready = poll(&items, nfds_t(items.count), min(Int32(remaining), 50))
        sampleMemory()
        guard ready > 0 else { return remaining > 0 }
        for (index, item) in items.enumerated() where item.revents != 0 {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = read(sources[index].descriptor, &buffer, buffer.count)
            // A terminal that no process has open any more returns EIO.
            if count > 0 { sources[index].bytes += buffer[..<count] } else { sources[index].isOpen = false }
        }
        return true
    }

    /// Its peak memory, in kilobytes. wait4(2) reports that of the tests before exec, if that was more.
    private(set) var peakMemory = 0

    private func sampleMemory() {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }) else { return }
        peakMemory = max(peakMemory, line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0)
    }

    private func wait() -> Int32 {
        if let status { return status }
        var raw: Int32 = 0
        while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
        let code = raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + raw & 0x7f
        status = code
        return code
    }
}

/// Keeps open files of other tests from programs: once there are ten, `sh` cannot redirect to those that mmdebstrap opens.
func keepDescriptors() {
    for descriptor in Int32(3)..<256 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
}

/// Two descriptors that no program started here inherits.
func makePipe() throws -> (reading: Int32, writing: Int32) {
    var (reading, writing): (Int32, Int32) = (-1, -1)
    guard csys_pipe(&reading, &writing) == 0 else { throw POSIXError(.EMFILE) }
    return (reading, writing)
}

/// A terminal: the end that a person sits at, and the one that programs have (pts(4)).
private func makeTerminal() throws -> (master: Int32, slave: Int32, path: String) {
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard master >= 0 else { throw POSIXError(.ENXIO) }
    var locked: Int32 = 0
    var number: UInt32 = 0
    guard ioctl(master, Linux.setTerminalLock, &locked) == 0, ioctl(master, Linux.getTerminalNumber, &number) == 0 else {
        throw POSIXError(.ENXIO)
    }
    let path = "/dev/pts/\(number)"
    let slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard slave >= 0 else { throw POSIXError(.ENXIO) }
    // The terminal then shows exactly what the program writes.
    var settings = termios()
    tcgetattr(slave, &settings)
    settings.c_lflag &= ~tcflag_t(ECHO)
    settings.c_oflag &= ~tcflag_t(OPOST)
    tcsetattr(slave, TCSANOW, &settings)
    var size = winsize(ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(slave, Linux.setWindowSize, &size)
    return (master, slave, path)
}

/// Constants of Linux that Swift does not import.
private enum Linux {
    static let setTerminalLock: UInt = 0x4004_5431  // TIOCSPTLCK
    static let getTerminalNumber: UInt = 0x8004_5430  // TIOCGPTN
    static let setWindowSize: UInt = 0x5414  // TIOCSWINSZ
    static let spawnInNewSession: Int16 = 0x80  // POSIX_SPAWN_SETSID
}
