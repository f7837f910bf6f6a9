import Age
import CSystem
import Foundation
import SSH
import TestSupport
import Testing

@testable import Sealing

/// Sealing for the keys of operators and hosts, and opening with them.
@Suite struct SealingTests {
    private static let kinds: [(name: String, options: [String])] = [
        ("id_ed25519", ["-t", "ed25519"]), ("id_rsa2048", ["-t", "rsa", "-b", "2048"]), ("id_rsa3072", ["-t", "rsa", "-b", "3072"]),
        ("id_rsa_pem", ["-t", "rsa", "-b", "2048", "-m", "PEM"]), ("id_rsa_pkcs8", ["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
    ]

    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func recipient(_ name: String) throws -> Recipient { try Recipient(line: try scratch.read("\(name).pub")[...]) }

    private func ring(_ names: String..., unlock: @escaping (String, String) -> Bool = { _, _ in false }) -> KeyRing {
        KeyRing(names.map(scratch.file), home: scratch.path, unlock: unlock)
    }

    private func seal(_ value: [UInt8], for recipients: [Recipient]) -> [UInt8]? {
        SealedFile.seal(SecretBytes(copying: value[...]), for: recipients)
    }

    private func opened(_ file: [UInt8], _ ring: KeyRing) throws -> [UInt8] {
        let value = try ring.open(try SealedFile(file))
        return value.withBytes { Array($0) }
    }

    private func reasons(_ file: [UInt8], _ ring: KeyRing) throws -> [KeyRing.Reason?] {
        let file = try SealedFile(file)
        do throws(KeyRing.OpenError) {
            _ = try ring.open(file)
            return []
        } catch {
            guard case .noKey(let keys) = error else { throw error }
            return keys.map(\.reason)
        }
    }

    @Test(.enabled(if: Scratch.hasAge, "needs age"), arguments: kinds.map(\.name))
    func `age opens Deptool's sealed files, and Deptool opens age's`(name: String) throws {
        let kind = try #require(Self.kinds.first { $0.name == name })
        try scratch.key(name, kind.options)
        let value = Array("the value of \(name)".utf8)
        let ours = try #require(seal(value, for: [try recipient(name)]))
        try scratch.write(ours, to: "ours.age")
        #expect(try opened(ours, ring(name)) == value)
        // age itself reads no RSA key in PKCS#8.
        if name != "id_rsa_pkcs8" {
            #expect(try scratch.run(["age", "-d", "-i", scratch.file(name), scratch.file("ours.age")]) == value)
        }
        try scratch.write(value, to: "plain")
        let theirs = try scratch.run(["age", "-R", scratch.file("\(name).pub"), scratch.file("plain")])
        #expect(try opened(theirs, ring(name)) == value)
    }

    @Test func `each of many recipients can open, and nobody else`() throws {
        for kind in Self.kinds { try scratch.key(kind.name, kind.options) }
        try scratch.key("other", ["-t", "ed25519"])
        let value = Array("value".utf8)
        let recipients = try Self.kinds.map { try recipient($0.name) }
        let file = try #require(seal(value, for: recipients))
        for kind in Self.kinds { #expect(try opened(file, ring(kind.name)) == value) }
        #expect(try reasons(file, ring("other")) == [nil])
        let sealed = try SealedFile(file)
        #expect(sealed.isSealed(for: recipients))
        #expect(sealed.isSealed(for: recipients.reversed()))
        #expect(!sealed.isSealed(for: Array(recipients.dropLast())))
        #expect(!sealed.isSealed(for: recipients + [try recipient("other")]))
    }

    /// The owner's ssh-keygen opens a key with a passphrase, in a copy that is removed afterwards.
    @Test func `a protected key is opened in a private copy`() throws {
        try scratch.key("id_ed25519", ["-t", "ed25519"], passphrase: "the passphrase")
        try scratch.key("other", ["-t", "ed25519"], passphrase: "the passphrase")
        let file = try #require(seal([1, 2, 3], for: [try recipient("id_ed25519")]))
        var copies: [String] = []
        let ring = ring("other", "id_ed25519") { _, copy in
            copies.append(copy)
            #expect((try? self.scratch.run(["stat", "-c", "%a", copy])) == Array("600\n".utf8))
            return (try? self.scratch.run(["ssh-keygen", "-q", "-p", "-P", "the passphrase", "-N", "", "-f", copy])) != nil
        }
        #expect(try opened(file, ring) == [1, 2, 3])
        // It is not needed again, and the other key was left alone, since the file is not sealed for it.
        #expect(try opened(file, ring) == [1, 2, 3])
        #expect(copies.count == 1)
        for copy in copies { #expect(!FileManager.default.fileExists(atPath: URL(filePath: copy).deletingLastPathComponent().path)) }
        #expect(try reasons(file, self.ring("id_ed25519")) == [.noPassphrase])
    }

    @Test func `each key that cannot open has a reason`() throws {
        try scratch.key("id_ed25519", ["-t", "ed25519"])
        try scratch.key("ecdsa", ["-t", "ecdsa"])
        try scratch.write(Array("text".utf8), to: "text")
        // The public key that ssh-keygen writes for a key on a token: the wire format begins with the type.
        let type = "sk-ssh-ed25519@openssh.com"
        let blob = [0, 0, 0, UInt8(type.utf8.count)] + Array(type.utf8)
        var key = Array("openssh-key-v1\0".utf8)
        for part in [Array("none".utf8), Array("none".utf8), []] { key += [0, 0, 0, UInt8(part.count)] + part }
        key += [0, 0, 0, 1, 0, 0, 0, UInt8(blob.count)] + blob
        let rest = [0, 0, 0, 1, 0, 0, 0, 1] + blob + [UInt8](repeating: 0, count: 4)
        let padded = rest + (0..<UInt8((8 - rest.count % 8) % 8)).map { $0 + 1 }
        key += [0, 0, 0, UInt8(padded.count)] + padded
        let pem = "-----BEGIN OPENSSH PRIVATE KEY-----\n\(Data(key).base64EncodedString())\n-----END OPENSSH PRIVATE KEY-----\n"
        try scratch.write(Array(pem.utf8), to: "token")
        let file = try #require(seal([1], for: [try recipient("id_ed25519")]))
        #expect(
            try reasons(file, ring("nothing", "id_ed25519.pub", "ecdsa", "text", "token"))
                == [.missing, .publicOnly, .otherKind, .invalid, .securityKey])
        // Without names, only keys that are there count.
        #expect(try reasons(file, KeyRing([], home: scratch.path) { _, _ in false }) == [])
    }

    // MARK: Recipients

    @Test func `recipients are lines as in authorized_keys, or of age`() throws {
        try scratch.key("ann", ["-t", "ed25519"])
        try scratch.key("bob", ["-t", "rsa", "-b", "2048"])
        let ann = String(decoding: try scratch.read("ann.pub"), as: UTF8.self).split(separator: " ")[1]
        let bob = String(decoding: try scratch.read("bob.pub"), as: UTF8.self).split(separator: " ")[1]
        let age = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
        let text = """
            # operators

            ssh-ed25519 \(ann) ann@laptop and more
              from="10.0.0.0/8",command="echo ssh-ed25519 \\" x" ssh-rsa \(bob) bob\r
            \(age) carol
            \(age) the same again
            """
        let file = try RecipientsFile(parsing: Array(text.utf8))
        #expect(file.recipients.map(\.name) == ["ann@laptop and more", "bob", "carol"])
        #expect(file.recipients.map { $0.tag == nil } == [false, false, true])
    }

    @Test func `a line that cannot be a recipient is named`() throws {
        try scratch.key("weak", ["-t", "rsa", "-b", "1024"])
        try scratch.key("ecdsa", ["-t", "ecdsa"])
        let token = Data([0, 0, 0, 26] + Array("sk-ssh-ed25519@openssh.com".utf8)).base64EncodedString()
        let neutral = Data([0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32, 1] + [UInt8](repeating: 0, count: 31))
            .base64EncodedString()
        func problem(_ line: String) -> Recipient.ParseError? {
            do throws(RecipientsFile.LineError) {
                _ = try RecipientsFile(parsing: Array("# first\n\(line)\n".utf8))
                return nil
            } catch {
                #expect(error.line == 2)
                return error.problem
            }
        }
        #expect(problem(String(decoding: try scratch.read("weak.pub"), as: UTF8.self)) == .shortRSA(bits: 1024))
        #expect(problem(String(decoding: try scratch.read("ecdsa.pub"), as: UTF8.self)) == .otherType("ecdsa-sha2-nistp256"))
        #expect(problem("sk-ssh-ed25519@openssh.com \(token) token") == .otherType("sk-ssh-ed25519@openssh.com"))
        #expect(problem("ssh-ed25519 \(neutral) nobody") == .notAKey)
        for line in ["ann", "ssh-ed25519", "ssh-ed25519 AAAA", "age1qqqq", "ssh-rsa AAAAB3NzaC1yc2E= x"] {
            #expect(problem(line) == .notAKey, "\(line)")
        }
    }

    @Test func `keys of age are only counted`() throws {
        let one = try Recipient(line: Array("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj ann".utf8)[...])
        let file = try SealedFile(try #require(seal([1], for: [one, one])))
        #expect(file.isSealed(for: [one, one]))
        #expect(!file.isSealed(for: [one]))
        #expect(!file.isSealed(for: []))
    }

    // MARK: Values and files

    @Test func `random characters are evenly spread`() {
        for size in [2, 10, 62, 94] {
            let alphabet = (0..<UInt8(size)).map { $0 + 33 }
            let value = SecretBytes(random: size * 2000, of: alphabet)
            var counts = [Int](repeating: 0, count: 256)
            for index in 0..<value.count { counts[Int(value[index])] += 1 }
            #expect(counts.enumerated().allSatisfy { $0.element == 0 || alphabet.contains(UInt8($0.offset)) })
            // Each count is 2000 on average; ten standard deviations are 450.
            for byte in alphabet { #expect((1550...2450).contains(counts[Int(byte)]), "\(byte) of \(size)") }
        }
    }

    @Test func `a private directory is removed with its contents`() throws {
        var path = ""
        do {
            let directory = try PrivateDirectory()
            path = directory.path
            let file = try directory.write(SecretBytes(copying: [1, 2, 3]), as: "value")
            #expect(Array(try Data(contentsOf: URL(filePath: file))) == [1, 2, 3])
            _ = try scratch.run([
                "sh", "-c", "cd \(path) && mkdir -p a/b && cp value value~ && cp value a/b/c && ln -s /etc/passwd link && mkfifo fifo",
            ])
            #expect(try scratch.run(["stat", "-c", "%a", path]) == Array("700\n".utf8))
        }
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
    }

    /// After a SIGKILL, whose victim cannot clean up.
    @Test func `the next process removes the leftovers of a killed one`() throws {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/true")
        try shell.run()
        shell.waitUntilExit()
        let left = "/dev/shm/deptool-secret-\(getuid())-\(shell.processIdentifier)-left"
        let held = "/dev/shm/deptool-secret-\(getuid())-\(getpid())-held"
        for path in [left, held] { _ = try scratch.run(["sh", "-c", "mkdir -m 700 \(path) && echo value > \(path)/value"]) }
        defer { try? FileManager.default.removeItem(atPath: held) }
        _ = try PrivateDirectory()
        #expect(!FileManager.default.fileExists(atPath: left))
        #expect(FileManager.default.fileExists(atPath: held + "/value"))
    }
}

/// A directory that is removed with its owner.
final class Scratch: Sendable {
    let path: String

    static let hasAge = FileManager.default.isExecutableFile(atPath: "/usr/bin/age")

    struct Failed: Error { var text: String }

    init() throws {
        path = "/tmp/deptool-sealing-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
    func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: file(name)))) }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(filePath: file(name)))
        chmod(file(name), 0o600)
    }

    func key(_ name: String, _ options: [String], passphrase: String = "") throws {
        _ = try run(["ssh-keygen", "-q", "-N", passphrase, "-C", name, "-f", file(name)] + options)
    }

    @discardableResult func run(_ command: [String]) throws -> [UInt8] {
        let process = Process(), output = Pipe(), errors = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let bytes = Array(output.fileHandleForReading.readDataToEndOfFile())
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(text: "\(command): \(text)") }
        return bytes
    }
}
