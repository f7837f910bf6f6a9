import Foundation
import Testing

@testable import Deployment

/// The command that a login runs, run for real by every shell that is here, with another directory for the agent.
@Suite final class BootstrapTests {
    /// The possible names of a shell, and the words that run a command with it.
    static let shells: [[String]] = [
        ["sh", "-c"], ["dash", "-c"], ["bash", "-c"], ["zsh", "-c"], ["fish", "-c"], ["busybox", "sh", "-c"],
    ]

    private let directory: URL
    private let bin: String
    private let agent: [UInt8]

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "deptool-bootstrap-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        bin = directory.path + "/bin"
        // Bytes that a shell could trip over behind the script's end.
        agent = Array("#!/bin/sh\necho agent\nexec cat\nexit\n".utf8) + [0, 10, 13, 0xff] + Array(repeating: 0x61, count: 100_000)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private func bootstrap(hash: String? = nil) throws -> (name: String, command: String) {
        let cpu = try output(["uname", "-m"]).trimmingCharacters(in: .newlines)
        let sha256 = try hash ?? String(output(["sha256sum"], input: agent).prefix(64))
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: agent.count)
        defer { buffer.deallocate() }
        _ = buffer.initialize(from: agent)
        let carried = BundledAgent(cpu: cpu, sha256: sha256, bytes: UnsafeBufferPointer(buffer))
        let command = withoutSudo(Bootstrap(agents: [carried])).replacingOccurrences(of: "/var/lib/deptool/bin", with: bin)
        return (carried.name, command)
    }

    private func withoutSudo(_ bootstrap: Bootstrap) -> String {
        bootstrap.command.replacingOccurrences(of: "exec sudo -S -p \(bootstrap.passwordPrompt) sh", with: "exec sh")
    }

    private func output(_ arguments: [String], input: [UInt8] = []) throws -> String { try run(arguments, input: input).output }

    private func run(_ arguments: [String], input: [UInt8]) throws -> (output: String, status: Int32) {
        // A script that gives up leaves its input unread.
        signal(SIGPIPE, SIG_IGN)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        // From a file nothing could be left over for the agent: a shell might seek in it.
        let (standardInput, standardOutput) = (Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        process.standardError = FileHandle.nullDevice
        try process.run()
        let writer = Thread {
            try? standardInput.fileHandleForWriting.write(contentsOf: Data(input))
            try? standardInput.fileHandleForWriting.close()
        }
        writer.start()
        let data = standardOutput.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (String(decoding: data, as: UTF8.self), process.terminationStatus)
    }

    private func isHere(_ shell: [String]) -> Bool { (try? run(shell + ["exit 0"], input: []).status) == 0 }

    private func files() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: bin).sorted()) ?? [] }

    private var need: String { get throws { "DEPTOOL-NEED \(try output(["uname", "-m"]))" } }

    @Test func `the script has no characters that a login shell interprets`() throws {
        let command = Bootstrap(agents: [
            BundledAgent(cpu: "x86_64", sha256: "ab", bytes: .init(start: nil, count: 0)),
            BundledAgent(cpu: "armv7l", sha256: "cd", bytes: .init(start: nil, count: 0)),
        ]).command
        let parts = command.split(separator: "'", omittingEmptySubsequences: false)
        #expect(parts.count == 5)
        #expect(parts[0] == "sh -c ")
        #expect(parts[2] == " ")
        #expect(parts[4] == "")
        #expect(command.contains(#" "Linux armv7l"|"Linux armv8l") c=armv7l "#))
        #expect(!command.contains("\\") && !command.contains("!") && !command.contains("\n"))
    }

    @Test(arguments: shells) func `an installed agent runs at once, with all of the input`(shell: [String]) throws {
        guard isHere(shell) else { try Test.cancel("there is no \(shell[0]) here") }
        let (name, command) = try bootstrap()
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try Data(agent).write(to: URL(fileURLWithPath: bin + "/" + name))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: bin + "/" + name)
        let result = try run(shell + [command], input: Array("go\nmessage".utf8))
        #expect(result.output == "agent\ngo\nmessage")
        #expect(result.status == 0)
        #expect(files() == [name])
    }

    @Test(arguments: shells) func `a changed agent is replaced, not run`(shell: [String]) throws {
        guard isHere(shell) else { try Test.cancel("there is no \(shell[0]) here") }
        let (name, command) = try bootstrap()
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: bin)
        try Data("#!/bin/sh\necho evil\n".utf8).write(to: URL(fileURLWithPath: bin + "/" + name))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: bin + "/" + name)
        let result = try run(shell + [command], input: Array("go\n".utf8) + agent + Array("message".utf8))
        #expect(result.output == (try need) + "agent\nmessage")
        #expect(try Data(contentsOf: URL(fileURLWithPath: bin + "/" + name)) == Data(agent))
        #expect(try FileManager.default.attributesOfItem(atPath: bin)[.posixPermissions] as? Int == 0o755)
    }

    @Test(.enabled(if: getuid() == 0, "only root gives files away"))
    func `a directory of another user is not used`() throws {
        let (name, command) = try bootstrap()
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try Data(agent).write(to: URL(fileURLWithPath: bin + "/" + name))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: bin + "/" + name)
        chown(bin, 1234, 1234)
        let result = try run(["sh", "-c", command], input: Array("go\n".utf8) + agent)
        #expect(result.output == (try need) + "DEPTOOL-FAILED owner\n")
        #expect(result.status == 1)
    }

    @Test(arguments: shells) func `a missing agent is read from the input, and gets the rest`(shell: [String]) throws {
        guard isHere(shell) else { try Test.cancel("there is no \(shell[0]) here") }
        let (name, command) = try bootstrap()
        let result = try run(shell + [command], input: Array("go\n".utf8) + agent + Array("message\nand more".utf8))
        #expect(result.output == (try need) + "agent\nmessage\nand more")
        #expect(result.status == 0)
        #expect(files() == [name])
        #expect(try Data(contentsOf: URL(fileURLWithPath: bin + "/" + name)) == Data(agent))
        #expect(try FileManager.default.attributesOfItem(atPath: bin + "/" + name)[.posixPermissions] as? Int == 0o755)
    }

    @Test(arguments: shells) func `a cut upload leaves nothing`(shell: [String]) throws {
        guard isHere(shell) else { try Test.cancel("there is no \(shell[0]) here") }
        let (_, command) = try bootstrap()
        for length in [0, 1, agent.count - 1] {
            let result = try run(shell + [command], input: Array("go\n".utf8) + agent.prefix(length))
            #expect(result.output == (try need) + "DEPTOOL-FAILED hash\n")
            #expect(result.status == 1)
            #expect(files() == [])
        }
    }

    @Test(arguments: shells) func `an upload that is not the agent leaves nothing`(shell: [String]) throws {
        guard isHere(shell) else { try Test.cancel("there is no \(shell[0]) here") }
        let (_, command) = try bootstrap(hash: String(repeating: "0", count: 64))
        let result = try run(shell + [command], input: Array("go\n".utf8) + agent + Array("message".utf8))
        #expect(result.output == (try need) + "DEPTOOL-FAILED hash\n")
        #expect(result.status == 1)
        #expect(files() == [])
    }

    @Test(arguments: shells) func `nothing is written before the client has answered`(shell: [String]) throws {
        guard isHere(shell) else { try Test.cancel("there is no \(shell[0]) here") }
        let result = try run(shell + [try bootstrap().command], input: [])
        #expect(result.output == (try need))
        #expect(result.status == 1)
        #expect(!FileManager.default.fileExists(atPath: bin))
    }

    @Test func `a CPU without an agent and a failed mkdir are reported`() throws {
        let none = withoutSudo(Bootstrap(agents: []))
        #expect(try run(["sh", "-c", none], input: []).output == "DEPTOOL-FAILED cpu \(try output(["uname", "-sm"]))")
        try Data().write(to: URL(fileURLWithPath: bin))
        let result = try run(["sh", "-c", try bootstrap().command], input: Array("go\n".utf8) + agent)
        #expect(result.output == (try need) + "DEPTOOL-FAILED mkdir\n")
        #expect(result.status == 1)
    }
}
