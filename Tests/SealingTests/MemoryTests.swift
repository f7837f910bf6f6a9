#if os(Linux)
import Age
import Foundation
import Platform
import Testing

@testable import Sealing

/// No copy of a secret is left in a process that had it, not even in memory that is free (`ends`, in Tests/Ends).
@Suite struct MemoryTests {
    /// The program as the tests are built, and as the tool is (`make test`).
    private static let programs: [String] = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let optimized = ProcessInfo.processInfo.environment["DEPTOOL_ENDS"]
        return [URL(filePath: tests).deletingLastPathComponent().path + "/ends"] + (optimized.map { [$0] } ?? [])
    }()

    // libcrypto reads keys in PEM by itself, and leaves parts of them behind.
    private static let kinds: [[String]] = [["ed25519"], ["rsa", "-b", "2048"]]

    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// The numbers of the private key, and the middle of its file.
    private func secrets(_ name: String) throws -> [String: [UInt8]] {
        let lines = try scratch.read(name).split(separator: 10)
        var secrets = ["file": Array(lines[lines.count / 2].suffix(40))]
        let key = try OpenSSHKey(SecretBytes(copying: try scratch.read(name)[...]))
        guard !key.isEd25519 else {
            let text = try String(decoding: scratch.read(name), as: UTF8.self).split(separator: "\n").dropFirst().dropLast().joined()
            let content = try #require(Data(base64Encoded: text))
            // Its type, 32 bytes of the public key, and twice as many of the private one, which end in the public one.
            let type = try #require(content.range(of: Data("ssh-ed25519".utf8), options: .backwards))
            secrets["seed"] = Array(content[(type.upperBound + 40)..<(type.upperBound + 72)])
            return secrets
        }
        for (index, number) in [(2, "d"), (3, "the inverse of q"), (4, "p"), (5, "q")] {
            let bytes = key.value(index).withBytes { Array($0) }[30..<70]
            secrets[number] = Array(bytes)
            secrets["\(number), as libcrypto has it"] = bytes.reversed()
        }
        return secrets
    }

    private func memory(of process: ChildProcess) throws -> Data {
        let file = try FileDescriptor(reading: "/proc/\(process.id)/mem")
        var all = Data()
        for line in try String(contentsOfFile: "/proc/\(process.id)/maps", encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ")
            let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard words[1].hasPrefix("rw"), let bytes = try? file.read(Int(ends[1] - ends[0]), at: ends[0]) else { continue }
            all += bytes
        }
        return all
    }

    @Test(arguments: programs, kinds) func `a value and the key that opened it are gone from memory`(program: String, kind: [String]) throws
    {
        try scratch.key("key", ["-t"] + kind)
        let value = (0..<200).map { _ in UInt8.random(in: 0...255) }
        let recipient = try Recipient(line: try scratch.read("key.pub")[...])
        let sealed = SealedFile.seal(SecretBytes(copying: value[...]), for: [recipient])
        try scratch.write(try #require(sealed), to: "sealed")
        let secrets = try secrets("key")

        var input = try Platform.Pipe(), output = try Platform.Pipe()
        let process = try ChildProcess(
            [program, "open", scratch.file("key"), scratch.file("sealed")], in: .own, input: input.reading.number,
            output: output.writing.number, error: 2)
        input.reading.close()
        output.writing.close()
        func step() throws -> String { String(decoding: try output.reading.read(upTo: 100), as: UTF8.self) }
        #expect(try step() == "200 bytes\n")
        #expect(try memory(of: process).contains(Data(value)))
        try input.writing.writeAll([10].span)
        #expect(try step() == "gone\n")
        let left = try memory(of: process)
        #expect(!left.contains(value[64..<128]))
        for (name, secret) in secrets { #expect(!left.contains(secret), "\(name)") }
        input.writing.close()
        #expect(process.wait() == 0)
    }
}

extension Data {
    fileprivate func contains(_ bytes: some Collection<UInt8>) -> Bool { range(of: Data(bytes)) != nil }
}
#endif
