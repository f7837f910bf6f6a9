import Model
import Platform
import SSH

/// The selection from a host's journal.
package struct LogRequest: Hashable, Sendable {
    /// Units, or patterns of journalctl(1) for them.
    package let units: [String]
    /// In a form of systemd.time(7); nil for the last lines only.
    package var since: String?
    /// The number of last lines; nil for all.
    package var lines: Int?

    /// Nil if a text has characters that neither a unit nor a time has: they are part of a script.
    package init?(units: [String], since: String?, lines: Int?) {
        func isPlain(_ text: String, _ others: String) -> Bool {
            !text.isEmpty && text.utf8.count <= 300
                && text.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                        || others.utf8.contains(byte)
                }
        }
        // The script can have no backslash.
        let patterns = units.map { String($0.map { $0 == "\\" ? "?" : $0 }) }
        guard !patterns.isEmpty, patterns.allSatisfy({ isPlain($0, ":-_.@*?") }), since.map({ isPlain($0, ":-+.@ ") }) ?? true else {
            return nil
        }
        self.units = patterns
        self.since = since
        self.lines = lines
    }

    /// Runs journalctl until it ends, or until standard input does: when the client goes, nothing stays behind. Answers
    /// each line of input on standard error, but the first: the key with which it ends. A service may log whatever it likes,
    /// and would end its own log otherwise. Obeys the rules of ``Bootstrap``.
    func script(follows: Bool) -> String {
        var words = ["journalctl --no-pager -q -o short-unix --no-hostname"]
        // With a time, journalctl would show the first lines and not the last.
        let lines = since == nil ? lines : nil
        if let lines { words.append("-n \(lines)") }
        if let since { words.append(#""--since=\#(since)""#) }
        words += units.map { #"-u "\#($0)""# }
        // Otherwise it shows ten lines first, whatever `since` is.
        if follows { words.append(lines == nil ? "-f --no-tail" : "-f") }
        // All is in one process group. There is no variable for a child: it would have an exclamation mark.
        return [
            "echo; date +%s; echo \(Self.begin); read -r key; exec 3<&0",
            "(while read -r x; do echo >&2; done; kill 0) <&3 3<&- & " + words.joined(separator: " ") + " </dev/null 3<&-",
            #"echo "\#(Self.end)$key $?"; kill 0"#,
        ].joined(separator: "; ")
    }

    static let end = "DEPTOOL-END "
    static let begin = "DEPTOOL-LOGS"
}

/// A line of a host's journal.
package struct LogLine: Hashable, Sendable {
    /// Microseconds since the epoch; that of the line before for one that continues a message.
    package var time: Int64
    /// Unchecked text from the host: the program and its message, or what continues it.
    package var text: String

    package init(time: Int64, text: String) { (self.time, self.text) = (time, text) }
}

/// Why a journal cannot be read.
package enum LogError: Error, Hashable, Sendable {
    case host(HostError)
    /// journalctl, or what should start it, failed with this status and last line.
    case program(ExitStatus, String)
}

/// Makes lines of a journal from the host's output.
struct LogParser {
    /// Longer lines are cut into several.
    private static let maximumLine = 64 << 10

    /// The text before the status in the last line.
    let key: String
    private(set) var hasBegun = false
    /// When it began, by the host's clock, in seconds since the epoch, from the line before.
    private(set) var hostTime: Int64?
    /// The status of journalctl, once it has ended.
    private(set) var status: Int32?
    private var rest: [UInt8] = []
    private var time: Int64 = 0

    init(key: String) { self.key = key }

    mutating func add(_ bytes: [UInt8], _ report: (LogLine) -> Void) {
        rest += bytes
        var start = 0
        while let end = rest[start...].firstIndex(of: 10) ?? (rest.count - start > Self.maximumLine ? start + Self.maximumLine : nil) {
            let line = rest[start..<end]
            start = rest[end] == 10 ? end + 1 : end
            guard hasBegun else {
                hasBegun = line.elementsEqual(LogRequest.begin.utf8)
                if !hasBegun { hostTime = line.count <= 12 ? Int64(String(decoding: line, as: UTF8.self)) : nil }
                continue
            }
            let end = "\(LogRequest.end)\(key) "
            if line.starts(with: end.utf8) {
                status = Int32(String(decoding: line.dropFirst(end.utf8.count), as: UTF8.self)) ?? 255
            } else if status == nil {
                report(parse(line))
            }
        }
        rest.removeFirst(start)
    }

    private mutating func parse(_ line: ArraySlice<UInt8>) -> LogLine {
        let stamp = line.prefix { $0 != 0x20 }
        let parts = stamp.split(separator: 0x2e, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].count == 6, (1...12).contains(parts[0].count),
            parts.joined().allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(String(decoding: parts.joined(), as: UTF8.self))
        {
            time = number
            return LogLine(time: time, text: String(decoding: line.dropFirst(stamp.count + 1), as: UTF8.self))
        }
        return LogLine(time: time, text: String(decoding: line, as: UTF8.self))
    }
}

extension HostTask {
    /// An event of a host whose journal is followed.
    package enum LogEvent: Sendable {
        case line(LogLine)
        case lost(LogError)
        case back
    }

    /// Reads the hosts' journals. Calls `report` on the threads of the hosts, which wait for it. With `follows`,
    /// continues until cancelled, and reconnects to lost hosts. Calls `ended` when a host has no more.
    package func logs(
        _ requests: [Hostname: LogRequest], follows: Bool, report: @escaping @Sendable (Hostname, LogEvent) -> Void,
        ended: @escaping @Sendable (Hostname) -> Void = { _ in }
    ) async -> [(host: Hostname, failure: LogError?)] {
        await onEach { host, access, interrupt -> (host: Hostname, failure: LogError?) in
            defer { ended(host) }
            guard var request = requests[host] else { return (host, nil) }
            let kept = follows || request.since == nil ? nil : request.lines
            var lastLines: [LogLine] = []
            defer { for line in lastLines.suffix(kept ?? 0) { report(host, .line(line)) } }
            var isKnown = false
            var isLost = false
            var memory = LogMemory()
            var pause = 1
            while true {
                do throws(LogError) {
                    try access.readLogs(request, of: host, follows: follows, interrupt) { time in
                        isKnown = true
                        // Others show their last lines again if there were none.
                        if let time, request.lines == 0 { memory.noteBegin(time * 1_000_000) }
                        pause = 1
                        if isLost { report(host, .back) }
                        isLost = false
                    } report: { line in
                        guard memory.add(line, now: WallClock.nanoseconds / 1000) else { return }
                        guard let kept else { return report(host, .line(line)) }
                        lastLines.append(line)
                        if lastLines.count >= 2 * kept + 1000 { lastLines.removeFirst(lastLines.count - kept) }
                    }
                    return (host, nil)
                } catch .host(.ssh(.interrupted)) {
                    return (host, nil)
                } catch {
                    guard follows, isKnown, case .host = error else { return (host, error) }
                    if !isLost { report(host, .lost(error)) }
                    isLost = true
                    if let start = memory.start { (request.since, request.lines) = (Self.moment(start), nil) }
                    memory.expectAgain()
                }
                guard (try? interrupt.pause(.seconds(pause), deadline: .never)) != nil else { return (host, nil) }
                pause = min(pause * 2, 10)
            }
        }.sorted { $0.host < $1.host }
    }

    /// Microseconds since the epoch, for systemd.time(7).
    private static func moment(_ time: Int64) -> String {
        let fraction = String(time % 1_000_000)
        return "@\(time / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}

extension Access {
    /// Returns when journalctl has ended. `begun` is called when it starts, with the host's time in seconds since the epoch.
    fileprivate func readLogs(
        _ request: LogRequest, of host: Hostname, follows: Bool, _ interrupt: Interrupt, begun: (Int64?) -> Void,
        report: (LogLine) -> Void
    ) throws(LogError) {
        let end: (ExitStatus, String)?
        do throws(HostError) {
            end = try run(request, on: host, follows: follows, interrupt: interrupt, begun: begun, report: report)
        } catch {
            throw .host(error)
        }
        if let (status, said) = end { throw .program(status, said) }
    }

    /// Returns the status and the last line of standard error if journalctl failed.
    private func run(
        _ request: LogRequest, on host: Hostname, follows: Bool, interrupt: Interrupt, begun: (Int64?) -> Void,
        report: (LogLine) -> Void
    ) throws(HostError) -> (ExitStatus, String)? {
        let bootstrap = Bootstrap(agents: [])
        let (stream, user) = try overSSH(start(bootstrap.asRoot(request.script(follows: follows)), on: host, prompts, interrupt))
        var sudo = SudoPassword(
            prompt: bootstrap.passwordPrompt, ask: prompts.sudoPassword.map { ask in { wrong in ask(host, user, wrong) } })
        var parser = LogParser(key: hex(randomBytes(16)))
        var hasKey = false
        var unanswered = 0
        while true {
            if !parser.hasBegun { try sudo.answer(stream) }
            do throws(SSHError) {
                let timeout: Duration = parser.hasBegun ? .seconds(10) : Conversation.timeout
                let isOutput = try stream.waitForOutput(deadline: .after(timeout))
                unanswered = 0
                guard isOutput else { continue }
            } catch .timedOut(let phase) {
                // A quiet journal is fine as long as the host answers.
                guard parser.hasBegun, unanswered < 2 else { throw .ssh(.timedOut(phase)) }
                unanswered += 1
                try overSSH(stream.write([10], deadline: .after(Conversation.timeout)))
                continue
            } catch {
                throw .ssh(error)
            }
            let bytes = try overSSH(stream.read(max: 64 << 10, deadline: .after(Conversation.timeout)))
            if bytes.isEmpty { break }
            parser.add(bytes, report)
            if parser.hasBegun, !hasKey {
                try overSSH(stream.write(Array((parser.key + "\n").utf8), deadline: .after(Conversation.timeout)))
                hasKey = true
            }
            if parser.hasBegun { begun(parser.hostTime) }
            if parser.status != nil { break }
        }
        let said = String(decoding: sudo.cleaned(stream.standardError), as: UTF8.self)
        guard let status = parser.status else {
            if parser.hasBegun { throw .ssh(.connectionLost(.transferring)) }
            let status = try overSSH(stream.exitStatus(deadline: .after(.seconds(5))))
            if let problem = SudoProblem(said) { throw .sudo(problem, printed: Array(said.utf8)) }
            return (status, Self.lastLine(said))
        }
        // A host that goes down ends it.
        if follows, status == 0 || status >= 128 { throw .ssh(.connectionLost(.transferring)) }
        // A pattern that matches no unit of the journal is no failure.
        return status == 0 || said.contains("No data available") ? nil : (.code(status), Self.lastLine(said))
    }

    private static func lastLine(_ text: String) -> String {
        String((text.split(whereSeparator: \.isNewline).last { $0.contains { $0 != " " } } ?? "").prefix(500))
    }
}
