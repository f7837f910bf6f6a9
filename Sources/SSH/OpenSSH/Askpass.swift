import CSystem

/// Where an `ssh` that runs without a terminal puts its questions (`SSH_ASKPASS` in ssh(1)).
///
/// ssh starts a program for each question, which is this one (see ``relay(_:to:)``). It passes the question on to a
/// socket in a directory that only its user can enter, and prints the answer, which so never is in arguments, in the
/// environment or in a file.
package final class Askpass {
    private let directory: String
    private let listener: Descriptor

    /// The variable that tells the program that it was started for a question, and where to put it.
    package static let variable = "DEPTOOL_ASKPASS"
    private static let longest = 16 << 10

    struct Question: Hashable {
        enum Kind: String {
            /// The answer is a line.
            case line
            /// Yes or no, by the exit status.
            case confirm
            /// Nothing is asked, only told: that a security key wants to be touched.
            case none
        }

        let kind: Kind
        let text: String
    }

    init() throws(SSHError) {
        var buffer = [CChar](repeating: 0, count: 1024)
        let length = unsafe csys_make_temporary_directory(&buffer, buffer.count)
        try check("mkdtemp", Int32(truncatingIfNeeded: min(length, 0)))
        directory = String(decoding: buffer[..<Int(length)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let number = unsafe csys_listen_unix(directory + "/socket")
        if number < 0 { _ = unsafe csys_rmdir(directory) }
        listener = Descriptor(try check("bind", number))
    }

    deinit {
        _ = unsafe csys_unlink(directory + "/socket")
        _ = unsafe csys_rmdir(directory)
    }

    /// Readable when there is a question.
    var descriptor: Int32 { listener.number }

    /// What env(1) has to set for ssh: OpenSSH 8.4 and later use it, earlier ones then ask nothing.
    func environment() throws(SSHError) -> [String] {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = unsafe csys_own_path(&buffer, buffer.count)
        try check("readlink", Int32(truncatingIfNeeded: min(length, 0)))
        let program = String(decoding: buffer[..<Int(length)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return ["SSH_ASKPASS=\(program)", "SSH_ASKPASS_REQUIRE=force", "\(Self.variable)=\(directory)/socket"]
    }

    /// Takes the next question, if there is one, and passes on what `body` answers; nil is a no.
    func serve(_ interrupt: Interrupt, _ body: (Question) -> Secret?) throws(SSHError) {
        let number = csys_accept(listener.number)
        guard number >= 0 else { return }
        let socket = Descriptor(number)
        // The program has asked before it connects, as far as a person can tell.
        let deadline = Deadline.after(.seconds(5))
        guard let bytes = try Self.receive(socket, interrupt, deadline),
            let line = bytes.firstIndex(of: UInt8(ascii: "\n")),
            let kind = Question.Kind(rawValue: String(decoding: bytes[..<line], as: UTF8.self))
        else { return }
        let text = String(decoding: bytes[(line + 1)...], as: UTF8.self)
        guard let answer = body(Question(kind: kind, text: text)) else { return }
        // It fits into the socket's buffer.
        _ = unsafe answer.withBytes { unsafe csys_send(socket.number, $0.baseAddress, $0.count) }
        var end: UInt8 = 10
        _ = unsafe csys_send(socket.number, &end, 1)
    }

    /// What the program does that ssh starts: asks at the socket and prints the answer; its exit status.
    package static func relay(_ question: String, to path: String) -> Int32 {
        do throws(SSHError) {
            let interrupt = try Interrupt()
            let socket = Descriptor(try check("connect", unsafe csys_connect_unix(path)))
            let kind = unsafe csys_getenv("SSH_ASKPASS_PROMPT").map { unsafe String(cString: $0) } ?? ""
            let text = Array(((Question.Kind(rawValue: kind) ?? .line).rawValue + "\n" + question).utf8.prefix(longest))
            _ = unsafe text.withUnsafeBytes { unsafe csys_send(socket.number, $0.baseAddress, $0.count) }
            _ = csys_shutdown_writing(socket.number)
            var problem: SSHError?
            let answer = unsafe Secret(upTo: longest) { memory in
                do throws(SSHError) {
                    return unsafe try receive(into: memory, socket, interrupt, .never)
                } catch {
                    problem = error
                    return nil
                }
            }
            guard let answer, answer.count > 0, problem == nil else { return 1 }
            _ = unsafe answer.withBytes { unsafe csys_write(1, $0.baseAddress, $0.count) }
            return 0
        } catch {
            return 1
        }
    }

    /// All up to the end of the stream; nil when it is too long.
    private static func receive(
        _ socket: Descriptor, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> [UInt8]? {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: longest + 1, alignment: 1)
        defer { unsafe memory.deallocate() }
        guard let count = unsafe try receive(into: memory, socket, interrupt, deadline) else { return nil }
        return unsafe Array(memory[..<count])
    }

    /// The number of bytes up to the end of the stream; nil when they are more than there is room for.
    private static func receive(
        into memory: UnsafeMutableRawBufferPointer, _ socket: Descriptor, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> Int? {
        var length = 0
        while length < memory.count {
            let count = unsafe csys_receive(socket.number, memory.baseAddress.map { unsafe $0 + length }, memory.count - length)
            if count == -Int64(csys_eagain()) {
                _ = try interrupt.wait(for: .readable, on: socket.number, until: deadline, in: .login)
            } else if count <= 0 {
                return length
            } else {
                length += Int(count)
            }
        }
        return nil
    }
}
