import SSH
import Testing
import Wire

@testable import Deployment

/// The output of a host, in pieces; then nothing.
private final class Printed: RemoteStream {
    private var pieces: [[UInt8]]
    private(set) var written: [UInt8] = []
    let standardError: [UInt8]

    init(_ pieces: [[UInt8]], standardError: String = "") {
        self.pieces = pieces
        self.standardError = Array(standardError.utf8)
    }

    func write(_ bytes: [UInt8], deadline: Deadline) throws(SSHError) { written += bytes }
    func write(_ secret: Secret, deadline: Deadline) throws(SSHError) { written += secret.withBytes { Array($0) } }
    func read(max: Int, deadline: Deadline) throws(SSHError) -> [UInt8] { pieces.isEmpty ? [] : pieces.removeFirst() }
    func waitForOutput(deadline: Deadline) throws(SSHError) -> Bool { true }
    func closeWrite(deadline: Deadline) throws(SSHError) {}
    func exitStatus(deadline: Deadline) throws(SSHError) -> SSH.ExitStatus { .code(1) }
}

/// How a conversation with an agent begins.
@Suite struct ConversationTests {
    private nonisolated(unsafe) static let agent = UnsafeBufferPointer(
        UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 3).initialized())
    private let agents = [BundledAgent(cpu: "x86_64", sha256: "ab", bytes: agent)]

    private func begin(_ stream: Printed) throws(HostError) -> (reply: Reply, installed: Bool) {
        var installed = false
        var conversation = try Conversation(stream, bootstrap: Bootstrap(agents: agents)) { installed = true }
        return (try conversation.receive(deadline: .after(.seconds(1))), installed)
    }

    private let greeting = Frame.magic + Frame.encode(Reply.pong)

    @Test(arguments: ["", "Welcome!\n", "no newline"])
    func `output before the magic is skipped`(motd: String) throws {
        let (reply, installed) = try begin(Printed([Array(motd.utf8) + greeting]))
        #expect(reply == .pong)
        #expect(!installed)
    }

    @Test func `the magic may come in any pieces`() throws {
        let bytes = Array("hi\n".utf8) + greeting
        #expect(try begin(Printed(bytes.map { [$0] })).reply == .pong)
    }

    @Test func `a host that prints now and then, and starts no agent, is given up`() throws {
        let stream = Printed([[UInt8]](repeating: [10], count: 1000))
        #expect(throws: HostError.ssh(.timedOut(.login))) {
            _ = try Conversation(stream, bootstrap: Bootstrap(agents: agents), limit: .zero) {}
        }
    }

    @Test(arguments: ["", "Welcome!\n", "a profile that ends without a newline "])
    func `the agent is brought when the host asks for it`(motd: String) throws {
        let stream = Printed([Array("\(motd)DEPTOOL-NEED x86_64\n".utf8), greeting])
        let (reply, installed) = try begin(stream)
        #expect(reply == .pong)
        #expect(installed)
        #expect(stream.written == Array("go\n".utf8) + [1, 2, 3])
    }

    @Test func `a failure before the agent's greeting is reported`() {
        func error(_ printed: String, _ standardError: String = "") -> HostError? {
            do throws(HostError) {
                _ = try begin(Printed([Array(printed.utf8)], standardError: standardError))
                return nil
            } catch {
                return error
            }
        }
        #expect(error("") == .noAgentSpoke(.code(1), printed: []))
        #expect(error("hi\n", "sudo: no\n") == .noAgentSpoke(.code(1), printed: Array("hi\nsudo: no\n".utf8)))
        #expect(error("DEPTOOL-FAILED mkdir\n", "mkdir: no\n") == .bootstrap(stage: "mkdir", printed: Array("mkdir: no\n".utf8)))
        #expect(error("prompt> DEPTOOL-FAILED hash\n") == .bootstrap(stage: "hash", printed: []))
        #expect(error("DEPTOOL-FAILED cpu Linux riscv64\n") == .unknownCPU("Linux riscv64", carried: BundledAgent.all.map(\.cpu)))
        #expect(error("DEPTOOL-NEED vax\n") == .unexpected)
        #expect(error("DEPTOOL-NEED x86_6") == .noAgentSpoke(.code(1), printed: Array("DEPTOOL-NEED x86_6".utf8)))
    }

    @Test func `a host that prints endlessly is given up`() {
        let printed = Array(repeating: Array(repeating: UInt8(ascii: "y"), count: 64 << 10), count: 100)
        #expect(throws: HostError.self) { try begin(Printed(printed)) }
    }

    @Test func `data that is not a message is reported`() {
        #expect(throws: HostError.malformed(.tooLong)) { try begin(Printed([Frame.magic + [0xff, 0xff, 0xff, 0xff]])) }
        #expect(throws: HostError.ssh(.connectionLost(.transferring))) { try begin(Printed([Frame.magic + [0, 0, 0, 1]])) }
    }
}

extension UnsafeMutableBufferPointer<UInt8> {
    fileprivate func initialized() -> Self {
        _ = initialize(from: [1, 2, 3])
        return self
    }
}
