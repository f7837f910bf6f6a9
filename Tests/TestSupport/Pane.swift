import Foundation

/// A real terminal, of tmux, that a test or a program writes to, to be looked at.
package final class Pane {
    package struct Failed: Error { package var what: String }

    package static let isThere = FileManager.default.isExecutableFile(atPath: "/usr/bin/tmux")

    private let socket = "/tmp/deptool-pane-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    private let terminal: Int32
    package private(set) var columns: Int
    package private(set) var rows: Int

    /// With a shell script that runs in it. While that reads from it, only ``look()`` and ``wait(for:)`` are of use.
    package init(columns: Int, rows: Int, running script: String = "exec sleep 600") throws {
        (self.columns, self.rows) = (columns, rows)
        try Self.tmux(
            socket, "-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", script, ";",
            "set", "-g", "window-size", "manual", ";", "set", "-g", "status", "off", ";", "resize-window", "-x", "\(columns)", "-y",
            "\(rows)")
        let path = try Self.tmux(socket, "display-message", "-p", "#{pane_tty}").trimmingCharacters(in: .newlines)
        terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else { throw Failed(what: "open \(path)") }
        // The terminal's answers are read as they come, and not shown.
        var settings = termios()
        tcgetattr(terminal, &settings)
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON)
        tcsetattr(terminal, TCSANOW, &settings)
    }

    deinit {
        _ = try? Self.tmux(socket, "kill-server")
        close(terminal)
        unlink(socket)
    }

    package func write(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(terminal, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failed(what: "write") }
            bytes = bytes.dropFirst(count)
        }
    }

    package func resize(columns: Int, rows: Int) throws {
        (self.columns, self.rows) = (columns, rows)
        try Self.tmux(socket, "resize-window", "-x", "\(columns)", "-y", "\(rows)")
    }

    /// The visible text, without empty lines at the end; `unwrapped` joins lines that the terminal wrapped.
    package func look(unwrapped: Bool = false) throws -> String {
        try Self.tmux(socket, "capture-pane", unwrapped ? "-pJ" : "-p").replacing(/[ ]+\n/, with: "\n").replacing(/\n+$/, with: "\n")
    }

    /// Waits until a text is to be seen.
    package func wait(for text: String) throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while try !look().contains(text) {
            guard ContinuousClock.now < deadline else { throw Failed(what: "waited in vain for '\(text)'; there was:\n\(try look())") }
            usleep(50_000)
        }
    }

    /// The visible text, once all output is shown.
    package func screen() throws -> String {
        try settle()
        return try look()
    }

    /// The same, with the lines scrolled off at the top.
    package func history() throws -> String {
        try settle()
        return try Self.tmux(socket, "capture-pane", "-p", "-S", "-").replacing(/\n+$/, with: "\n")
    }

    /// Whether lines have left the terminal at its top.
    package var hasHistory: Bool {
        get throws { try Self.tmux(socket, "display-message", "-p", "#{history_size}") != "0\n" }
    }

    /// Waits until all that was written is shown: a terminal answers one thing after the other (ECMA-48, DSR).
    private func settle() throws {
        try write("\u{1b}[6n")
        var byte: UInt8 = 0
        while byte != UInt8(ascii: "R") {
            var item = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            guard poll(&item, 1, 20_000) == 1, read(terminal, &byte, 1) == 1 else { throw Failed(what: "no answer of the terminal") }
        }
    }

    @discardableResult
    private static func tmux(_ socket: String, _ arguments: String...) throws -> String { try tmux(socket, arguments) }

    private static func tmux(_ socket: String, _ arguments: [String]) throws -> String {
        // The threads of tests block signals; programs started by them would inherit that and never end.
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let words = (["-u", "-S", socket] + arguments).map { "'\($0)'" }.joined(separator: " ")
        guard let stream = popen("exec env -i TERM=xterm-256color LC_ALL=C.UTF-8 /usr/bin/tmux \(words)", "r") else {
            throw Failed(what: "popen")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        guard pclose(stream) == 0 else { throw Failed(what: "tmux \(arguments)") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
