import Foundation
import TestSupport
import Testing

@testable import Age
@testable import Sealing

/// Private keys, as ssh-keygen and age-keygen write them.
@Suite struct KeyFileTests {
    private func problem(_ file: [UInt8]) -> KeyFileError? {
        let isKeyOfHost = isKeyOfHost(file)
        do throws(KeyFileError) {
            _ = try identity(file)
            // A host reads its ed25519 key, and nothing else that the operator's machine reads.
            #expect(isKeyOfHost == file.starts(with: "-----BEGIN ".utf8))
            return nil
        } catch {
            #expect(!isKeyOfHost)
            return error
        }
    }

    private func isKeyOfHost(_ file: [UInt8]) -> Bool {
        guard let key = AgeIdentity(keyFile: secret(file), Libcrypto.self) else { return false }
        return !key.sshKey.isEmpty
    }

    @Test func `keys of each kind`() throws {
        let scratch = try Scratch()
        let kinds: [(options: [String], passphrase: String, problem: KeyFileError?)] = [
            (["-t", "ed25519"], "", nil), (["-t", "ed25519"], "a passphrase", .encrypted), (["-t", "rsa", "-b", "2048"], "", .otherKind),
            (["-t", "rsa", "-b", "2048"], "a passphrase", .encrypted), (["-t", "rsa", "-b", "2048", "-m", "PEM"], "", .otherKind),
            (["-t", "rsa", "-b", "2048", "-m", "PKCS8"], "", .otherKind), (["-t", "ecdsa"], "", .otherKind),
            (["-t", "ecdsa", "-m", "PEM"], "", .otherKind), (["-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com"], "p", .encrypted),
        ]
        for (index, kind) in kinds.enumerated() {
            _ = try scratch.key("key\(index)", kind.options, passphrase: kind.passphrase)
            #expect(problem(try scratch.read("key\(index)")) == kind.problem, "\(kind.options)")
            #expect(problem(try scratch.read("key\(index).pub")) == .invalid, "\(kind.options)")
        }
        for text in [
            "", "\n", "key", "# a comment\n", "-----BEGIN OPENSSH PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
        ] {
            #expect(problem(Array(text.utf8)) == .invalid, "\(text)")
        }
    }

    /// Comments of each length make padding of each length.
    @Test func `a comment of any length`() throws {
        let scratch = try Scratch()
        _ = try scratch.key("key")
        for length in 0..<17 {
            _ = try run(["ssh-keygen", "-q", "-c", "-C", String(repeating: "c", count: length), "-f", scratch.file("key")])
            #expect(problem(try scratch.read("key")) == nil, "\(length)")
        }
    }

    /// The public key is there three times, and two numbers twice. The comment is free, and the seed cannot be checked.
    @Test func `a damaged key is refused`() throws {
        let scratch = try Scratch()
        let file = try scratch.read(URL(filePath: try scratch.key("key")).lastPathComponent)
        let whole = try identity(file)
        for place in file.indices {
            for byte in [file[place] ^ 1, UInt8(ascii: "A"), UInt8(ascii: "=")] where byte != file[place] {
                var changed = file
                changed[place] = byte
                guard problem(changed) == nil else { continue }
                #expect(try identity(changed).sshKey == whole.sshKey, "byte \(place)")
            }
            #expect(problem(Array(file[..<place])) != nil || place == file.count - 1, "the first \(place) bytes")
        }
        #expect(problem(file + Array("x".utf8)) == .invalid)
        #expect(problem([10] + file) == .invalid)
    }

    @Test func `an identity of age has one form`() throws {
        let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
        let whole = try identity(Array(text.utf8))
        #expect(
            String(decoding: Bech32.encode(whole.point, prefix: "age"), as: UTF8.self)
                == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")
        #expect(problem(Array("# created\n\n\(text)\n".utf8)) == nil)
        #expect(problem(Array("\(text)\n\(text)\n".utf8)) == .invalid)
        #expect(problem(Array(text.lowercased().utf8)) == .invalid)
        #expect(problem(Array(" \(text)".utf8)) == .invalid)
        for place in text.utf8.indices {
            for byte in "AQ1z-".utf8 where byte != text.utf8[place] {
                var changed = Array(text.utf8)
                changed[text.utf8.distance(from: text.utf8.startIndex, to: place)] = byte
                #expect(problem(changed) == .invalid)
            }
        }
        #expect(AgeRecipient(age: Array("AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ".utf8)) == nil)
    }
}
