import Foundation
import Testing

@testable import SSH

@Suite(.needsServer) struct ChannelTests {
    private let server: Server
    private let connection: Connection
    private let soon = Deadline.after(.seconds(30))

    init() throws {
        server = try Server()
        connection = try connect(server.settingsWithKey())
    }

    @Test func `a command's output, errors and exit status arrive`() throws {
        let channel = try connection.start("echo out; echo err >&2; exit 7", deadline: soon)
        #expect(try channel.read(max: 2, deadline: soon) == Array("ou".utf8))
        #expect(try channel.read(max: 100, deadline: soon) == Array("t\n".utf8))
        #expect(try channel.read(max: 100, deadline: soon) == [])
        #expect(try channel.read(max: 100, deadline: soon) == [])
        #expect(try channel.exitStatus(deadline: soon) == .code(7))
        #expect(channel.standardError == Array("err\n".utf8))
    }

    @Test func `a signal that ends a command is named`() throws {
        let channel = try connection.start("kill -KILL $$", deadline: soon)
        #expect(try channel.exitStatus(deadline: soon) == .signal("KILL"))
    }

    /// Sends megabytes through a command that sends them back, and compares.
    private func exchange(megabytes: Int, with channel: Channel) throws {
        let block = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        var sent: [UInt8] = [], received: [UInt8] = []
        for number in 0..<megabytes {
            sent += block
            sent[number << 20] = UInt8(truncatingIfNeeded: number)
            try channel.write(Array(sent.suffix(1 << 20)), deadline: soon)
            // Never more under way than is kept.
            while sent.count - received.count > 32 << 20 { received += try channel.read(max: .max, deadline: soon) }
        }
        try channel.closeWrite(deadline: soon)
        while case let bytes = try channel.read(max: 100_000, deadline: soon), !bytes.isEmpty { received += bytes }
        #expect(received == sent)
        #expect(try channel.exitStatus(deadline: soon) == .code(0))
    }

    @Test func `a hundred megabytes there and back are the same`() throws {
        try exchange(megabytes: 100, with: connection.start("cat", deadline: soon))
    }

    @Test func `unread output does not block a write`() throws {
        let channel = try connection.start("cat; echo done >&2", deadline: soon)
        try channel.write([UInt8](repeating: 1, count: 40 << 20), deadline: soon)
        try channel.closeWrite(deadline: soon)
        var count = 0
        while case let bytes = try channel.read(max: .max, deadline: soon), !bytes.isEmpty { count += bytes.count }
        #expect(count == 40 << 20)
        #expect(try channel.exitStatus(deadline: soon) == .code(0))
        #expect(channel.standardError == Array("done\n".utf8))
    }

    @Test func `a flood of errors is cut and blocks nothing`() throws {
        let channel = try connection.start("head -c 20000000 /dev/zero >&2; echo done", deadline: soon)
        #expect(try channel.read(max: 100, deadline: soon) == Array("done\n".utf8))
        #expect(channel.standardError.count == 64 << 10)
    }

    @Test func `a read ends at its deadline, and the channel stays usable`() throws {
        let channel = try connection.start("read line; echo got $line", deadline: soon)
        #expect(throws: SSHError.timedOut(.transferring)) {
            _ = try channel.read(max: 100, deadline: .after(.milliseconds(50)))
        }
        try channel.write(Array("it\n".utf8), deadline: soon)
        #expect(try channel.read(max: 100, deadline: soon) == Array("got it\n".utf8))
    }

    @Test func `a write that the host never reads ends at its deadline`() throws {
        let channel = try connection.start("sleep 60", deadline: soon)
        #expect(throws: SSHError.timedOut(.transferring)) {
            try channel.write([UInt8](repeating: 0, count: 16 << 20), deadline: .after(.milliseconds(300)))
        }
    }

    @Test func `another thread can interrupt a read`() throws {
        let interrupt = try Interrupt()
        let connection = try Connection(
            to: server.settingsWithKey(), prompts: .none, interrupt: interrupt, deadline: soon)
        let channel = try connection.start("sleep 60", deadline: soon)
        Thread.detachNewThread {
            usleep(50_000)
            interrupt.fire()
        }
        #expect(throws: SSHError.interrupted) { _ = try channel.read(max: 100, deadline: soon) }
        #expect(throws: SSHError.interrupted) { _ = try connection.start("true", deadline: soon) }
    }

    @Test func `several commands run on one connection`() throws {
        let first = try connection.start("cat", deadline: soon)
        #expect(try connection.output(of: "echo two") == "two\n")
        try first.write(Array("one".utf8), deadline: soon)
        #expect(try first.read(max: 100, deadline: soon) == Array("one".utf8))
    }

    @Test func `a channel may outlive its connection`() throws {
        var other: Connection? = try connect(server.settingsWithKey())
        let channel = try #require(try other?.start("cat", deadline: soon))
        other = nil
        try channel.write(Array("one".utf8), deadline: soon)
        #expect(try channel.read(max: 100, deadline: soon) == Array("one".utf8))
    }

    @Test func `a connection that the server drops is lost`() throws {
        let channel = try connection.start("kill -9 $PPID; sleep 60", deadline: soon)
        #expect(throws: SSHError.connectionLost(.transferring)) { _ = try channel.read(max: 100, deadline: soon) }
    }

    @Test func `new keys in the middle of a transfer change nothing`() throws {
        let server = try Server("RekeyLimit 2M")
        try exchange(megabytes: 10, with: connect(server.settingsWithKey()).start("cat", deadline: soon))
    }

    @Test func `a command that may not run is an error`() throws {
        let server = try Server("MaxSessions 0")
        #expect(throws: SSHError.commandRefused(message: "Channel open failure (connect failed)")) {
            _ = try connect(server.settingsWithKey()).start("true", deadline: soon)
        }
    }
}
