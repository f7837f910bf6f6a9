import CSystem

/// Receives the prompts of an `ssh` that runs without a terminal (`SSH_ASKPASS` in ssh(1)).
///
/// ssh starts a program for each prompt: this one (see ``relay(_:to:)``). It passes the prompt to a socket in a
/// directory that only its user can enter, and prints the answer, which therefore never appears in arguments, in the
/// environment or in a file.
package final class Askpass {
    private let directory: String
    private let listener: Descriptor

    /// The variable that marks the program as started for a prompt, and holds the socket's path.
    package static let variable = "DEPTOOL_ASKPASS"
    private static let longest = 16 << 10

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

    /// Readable when a prompt is waiting.
    var descriptor: Int32 { listener.number }

    /// Variables that env(1) sets for ssh. OpenSSH 8.4 and later use them; earlier versions never prompt then.
    func environment() throws(SSHError) -> [String] {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = unsafe csys_own_path(&buffer, buffer.count)
        try check("readlink", Int32(truncatingIfNeeded: min(length, 0)))
        let program = String(decoding: buffer[..<Int(length)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        return ["SSH_ASKPASS=\(program)", "SSH_ASKPASS_REQUIRE=force", "\(Self.variable)=\(directory)/socket"]
    }

    /// Takes the next prompt, if any, and sends the answer of `body`; nil means no.
    func serve(_ interrupt: Interrupt, _ body: (Question) -> Secret?) throws(SSHError) {
        let number = csys_accept(listener.number)
        guard number >= 0 else { return }
        let socket = Descriptor(number)
        // The program sends its prompt as soon as it has connected, so the deadline need not allow for a person.
        let deadline = Deadline.after(.seconds(5))
        guard let bytes = try Self.receive(socket, interrupt, deadline),
            let line = bytes.firstIndex(of: UInt8(ascii: "\n")),
            let kind = Question.Kind(rawValue: String(decoding: bytes[..<line], as: UTF8.self))
        else { return }
        let text = String(decoding: bytes[(line + 1)...], as: UTF8.self)
        guard let answer = body(Question(kind: kind, text: text)) else { return }
        // The answer fits into the socket's buffer.
        _ = unsafe answer.withBytes { unsafe csys_send(socket.number, $0.baseAddress, $0.count) }
        var end: UInt8 = 10
        _ = unsafe csys_send(socket.number, &end, 1)
    }

    /// The program that ssh starts: passes the prompt to the socket and prints the answer. Returns the exit status.
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

    /// Everything up to the end of the stream; nil if it is too long.
    private static func receive(
        _ socket: Descriptor, _ interrupt: Interrupt, _ deadline: Deadline
    ) throws(SSHError) -> [UInt8]? {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: longest + 1, alignment: 1)
        defer { unsafe memory.deallocate() }
        guard let count = unsafe try receive(into: memory, socket, interrupt, deadline) else { return nil }
        return unsafe Array(memory[..<count])
    }

    /// The number of bytes up to the end of the stream; nil if they exceed the buffer.
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
