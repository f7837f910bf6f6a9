import Platform

/// Receives the prompts of an `ssh` that runs without a terminal (`SSH_ASKPASS` in ssh(1)).
///
/// ssh starts a program for each prompt: this one (see ``relay(_:to:)``). It passes the prompt to a socket in a
/// directory that only its user can enter, and prints the answer, which therefore never appears in arguments, in the
/// environment or in a file.
package final class Askpass {
    private let directory: TemporaryDirectory
    private let listener: FileDescriptor
    private let socket: String

    /// The variable that marks the program as started for a prompt, and holds the socket's path.
    package static let variable = "DEPTOOL_ASKPASS"
    private static let maximumBytes = 16 << 10

    struct Question: Hashable {
        enum Kind: String {
            /// The answer is a line.
            case line
            /// Yes or no, by the exit status.
            case confirm
            /// Only a notice: the user should touch a security key.
            case none
        }

        let kind: Kind
        let text: String
    }

    init() throws(SSHError) {
        directory = try attempt("mkdtemp", try TemporaryDirectory(for: ["socket"]))
        let path = directory.path + "/socket"
        listener = try attempt("bind", try FileDescriptor(listeningAt: path))
        socket = path
    }

    /// Readable when a prompt is waiting.
    var descriptor: Int32 { listener.number }

    /// Variables that env(1) sets for ssh. OpenSSH 8.4 and later use them; earlier versions never prompt then.
    func environment() throws(SSHError) -> [String] {
        let program = try attempt("readlink", try ownPath())
        return ["SSH_ASKPASS=\(program)", "SSH_ASKPASS_REQUIRE=force", "\(Self.variable)=\(socket)"]
    }

    /// Takes the next prompt, if any, and sends the answer of `body`; nil means no.
    func serve(_ interrupt: Interrupt, _ body: (Question) -> Secret?) throws(SSHError) {
        guard let socket = try? listener.accept() else { return }
        // The program sends its prompt as soon as it has connected, so the deadline need not allow for a person.
        let deadline = Deadline.after(.seconds(5))
        guard let bytes = try Self.receive(socket, interrupt, deadline),
            let line = bytes.firstIndex(of: UInt8(ascii: "\n")),
            let kind = Question.Kind(rawValue: String(decoding: bytes[..<line], as: UTF8.self))
        else { return }
        let text = String(decoding: bytes[(line + 1)...], as: UTF8.self)
        guard let answer = body(Question(kind: kind, text: text)) else { return }
        // The answer fits into the socket's buffer.
        _ = try? answer.withSpan { bytes throws(Errno) in try socket.send(bytes) }
        let end: [UInt8] = [10]
        _ = try? socket.send(end.span)
    }

    /// The program that ssh starts: passes the prompt to the socket and prints the answer. Returns the exit status.
    package static func relay(_ question: String, to path: String) -> Int32 {
        do throws(SSHError) {
            let interrupt = try Interrupt()
            let socket = try attempt("connect", try FileDescriptor(connectingTo: path))
            let kind = Platform.variable("SSH_ASKPASS_PROMPT") ?? ""
            let text = Array(((Question.Kind(rawValue: kind) ?? .line).rawValue + "\n" + question).utf8.prefix(maximumBytes))
            _ = try? socket.send(text.span)
            socket.shutdownWriting()
            let answer = try Secret(upTo: maximumBytes) { bytes throws(SSHError) in try receive(into: &bytes, socket, interrupt, .never) }
            guard let answer, answer.count > 0 else { return 1 }
            _ = try? answer.withSpan { bytes throws(Errno) in try write(bytes, to: 1) }
            return 0
        } catch {
            return 1
        }
    }

    /// Everything up to the end of the stream; nil if it is too long.
    private static func receive(
        _ socket: borrowing FileDescriptor, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> [UInt8]? {
        var isWhole = false
        let bytes = try [UInt8](room: maximumBytes + 1) { bytes throws(SSHError) in
            isWhole = try receive(into: &bytes, socket, interrupt, deadline)
        }
        return isWhole ? bytes : nil
    }

    /// Appends the bytes up to the end of the stream; false if there is no room for more.
    private static func receive(
        into bytes: inout OutputSpan<UInt8>, _ socket: borrowing FileDescriptor, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> Bool {
        while !bytes.isFull {
            do throws(Errno) {
                if try socket.receive(into: &bytes) == 0 { return true }
            } catch {
                guard error == .wouldBlock else { return true }
                _ = try interrupt.wait(for: .readable, on: socket.number, until: deadline, in: .login)
            }
        }
        return false
    }
}
