import Foundation
import TestSupport
import Testing

@testable import Age
@testable import Sealing

/// age(1) opens what Deptool seals, and Deptool what age seals.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/age"), "needs age")) struct InteroperabilityTests {
    /// Around the ends of chunks.
    static let sizes = [0, 1, 15, 16, 17, 1000, 65535, 65536, 65537, 131071, 131072, 131073, 900_000]

    private func check(_ scratch: Scratch, key: String, public recipient: [String], size: Int) throws {
        var random = Seeded()
        let content = random.bytes(size)
        let plain = try scratch.write(content, to: "plain")
        let identity = try identity(try scratch.read(key))
        let theirs = try run(["age"] + recipient, input: plain)
        #expect(opened(theirs, identity) == .success(content), "seed \(random.seed)")
        let ours = try scratch.write(seal(content, for: [identity.recipient]), to: "sealed")
        #expect(try run(["age", "-d", "-i", scratch.file(key)], input: ours) == content, "seed \(random.seed)")
    }

    @Test(arguments: sizes) func `an ed25519 key of SSH`(size: Int) throws {
        let scratch = try Scratch()
        let path = try scratch.key("id_ed25519")
        try check(scratch, key: "id_ed25519", public: ["-R", path + ".pub"], size: size)
    }

    @Test(arguments: sizes) func `an identity of age`(size: Int) throws {
        let scratch = try Scratch()
        let file = try run(["age-keygen"])
        try scratch.write(file, to: "key")
        let recipient = try #require(
            String(decoding: file, as: UTF8.self).split(whereSeparator: { " \n".contains($0) }).first { $0.hasPrefix("age1") })
        try check(scratch, key: "key", public: ["-r", String(recipient)], size: size)
        let identity = try identity(file)
        #expect(AgeRecipient(age: Array(recipient.utf8)) == identity.recipient)
        #expect(Bech32.encode(identity.point, prefix: "age") == Array(recipient.utf8))
    }

    @Test func `any of several keys opens, and no other`() throws {
        let scratch = try Scratch()
        let keys = try (0..<5).map { try scratch.key("key\($0)") }
        _ = try scratch.key("rsa", ["-t", "rsa", "-b", "2048"])
        let plain = try scratch.write(Array("value".utf8), to: "plain")
        let recipients = keys[..<4] + [scratch.file("rsa")]
        let theirs = try run(["age"] + recipients.flatMap { ["-R", $0 + ".pub"] }, input: plain)
        for index in 0..<4 { #expect(opened(theirs, try identity(try scratch.read("key\(index)"))) == .success(Array("value".utf8))) }
        #expect(opened(theirs, try identity(try scratch.read("key4"))) == .failure(.noStanzaForKey))
        for index in 0..<5 {
            let key = try identity(try scratch.read("key\(index)"))
            #expect(try SealedFile(theirs).isSealed(forTag: key.tag) == (index < 4))
        }
    }

    @Test func `each kind of unreadable file has an error of its own`() throws {
        let scratch = try Scratch()
        let path = try scratch.key("key"), plain = try scratch.write(Array("value".utf8), to: "plain")
        let key = try identity(try scratch.read("key"))
        #expect(opened(try run(["age", "-a", "-R", path + ".pub"], input: plain), key) == .failure(.armored))
        #expect(opened(Array("value".utf8), key) == .failure(.notAge))
        #expect(opened([], key) == .failure(.notAge))
        #expect(opened(Array("age-encryption.org/v2\n".utf8), key) == .failure(.otherVersion))
        #expect(opened([UInt8](repeating: 0, count: SealedFile.limit + 1), key) == .failure(.tooLarge))
    }

    /// From the public key alone, as for a recipient.
    @Test func `both halves of an ed25519 key convert to the same point`() throws {
        let scratch = try Scratch()
        for index in 0..<20 {
            _ = try scratch.key("key\(index)")
            let key = try identity(try scratch.read("key\(index)"))
            #expect(montgomeryPoint(ofEd25519: Array(key.sshKey.suffix(32))) == key.point)
        }
        var neutral = [UInt8](repeating: 0, count: 32)
        neutral[0] = 1
        #expect(montgomeryPoint(ofEd25519: neutral) == nil)
        #expect(montgomeryPoint(ofEd25519: [UInt8](repeating: 255, count: 32)) == nil)
    }
}

/// The vectors of C2SP's CCTV.
@Suite struct VectorTests {
    @Test func `every test vector is opened or refused as it requires`() throws {
        let directory = URL(filePath: #filePath).deletingLastPathComponent().path + "/Vectors"
        var checked = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: directory).sorted() where name != "README.md" {
            let all = Array(try Data(contentsOf: URL(filePath: "\(directory)/\(name)")))
            let end = try #require(all.indices.first { all[$0...].starts(with: [10, 10]) })
            var fields: [String: [String]] = [:]
            for line in String(decoding: all[..<end], as: UTF8.self).split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
                fields[parts[0], default: []].append(parts.count > 1 ? parts[1] : "")
            }
            var file = Array(all[(end + 2)...])
            if fields["compressed"] != nil {
                // Without the header of zlib (RFC 1950), and with that of gzip, which then misses its sum at the end.
                let scratch = try Scratch(), gzip: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]
                let input = try scratch.write(gzip + file.dropFirst(2), to: "vector")
                file = try run(["sh", "-c", "gzip -dc 2>/dev/null || true"], input: input)
            }
            let expected = try #require(fields["expect"]?.first)
            var results: [Result<[UInt8], AgeError>] = []
            for line in fields["identity"] ?? [] where !line.contains("-PQ-") {
                results.append(opened(file, try identity(Array((line + "\n").utf8))))
            }
            let isOpen = results.contains { (try? $0.get()) != nil }
            if fields["armored"] != nil {
                #expect(!isOpen, "\(name)")
            } else if file.count > SealedFile.limit {
                #expect(results.allSatisfy { $0 == .failure(.tooLarge) }, "\(name)")
            } else if fields["passphrase"] != nil {
                #expect(!isOpen, "\(name)")
                if expected == "success" { #expect(throws: AgeError.passphrase) { try SealedFile(file) } }
            } else if !results.isEmpty {
                #expect(isOpen == (expected == "success"), "\(name): \(results)")
                for case .success(let content) in results {
                    #expect(fields["payload"] == [Libcrypto.sha256(content).map { String(format: "%02x", $0) }.joined()], "\(name)")
                }
                for case .failure(let error) in results {
                    switch expected {
                    case "no match": #expect(error == .noStanzaForKey, "\(name)")
                    case "HMAC failure": #expect(error == .damaged(.mac), "\(name)")
                    case "payload failure": #expect(error == .damaged(.payload), "\(name)")
                    // The nonce of the content counts as part of the header there.
                    case "header failure" where name.hasSuffix("_nonce"): #expect(error == .damaged(.payload), "\(name)")
                    case "header failure":
                        #expect([.damaged(.header), .damaged(.stanza), .otherVersion].contains(error), "\(name): \(error)")
                    default: break
                    }
                }
            }
            checked += 1
        }
        #expect(checked == 143)
    }
}
