import CSHA1
import Foundation
import Model
import TestSupport
import Testing

@Suite struct ObjectIDTests {
    private func sha1(_ text: String) -> String {
        var hash = SHA1()
        hash.update(Array(text.utf8))
        return hash.finish().hex
    }

    @Test func `the test vectors of RFC 3174 and FIPS 180 pass`() {
        #expect(sha1("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(sha1("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(sha1(String(repeating: "a", count: 1_000_000)) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
        #expect(
            sha1(String(repeating: "0123456701234567012345670123456701234567012345670123456701234567", count: 10))
                == "dea356a2cddd90c7a7ecedc5ebb563934f460452")
    }

    @Test func `pieces of any size give the same digest`() {
        var random = Seeded()
        for length in 0...200 {
            let bytes = random.bytes(length)
            var whole = SHA1()
            whole.update(bytes)
            var pieces = SHA1()
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 0...70, using: &random))
                pieces.update(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            #expect(pieces.finish() == whole.finish(), "length \(length), seed \(random.seed)")
        }
    }

    @Test func `the CPU's own instructions give the same digest`() {
        var random = Seeded()
        for count in [1, 2, 3, 1000] {
            let blocks = random.bytes(64 * count)
            var state: [UInt32] = (0..<5).map { _ in .random(in: 0 ... .max, using: &random) }
            var plain = state
            csha1_compress(&state, blocks, count)
            csha1_compress_portably(&plain, blocks, count)
            #expect(state == plain, "\(count) blocks, seed \(random.seed)")
        }
    }

    @Test func `blobs have the same ids as in Git`() throws {
        let directory = FileManager.default.temporaryDirectory.appending(component: "deptool-ids-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var random = Seeded()
        var contents: [[UInt8]] = []
        for length in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 65536, 100_001] {
            contents.append(random.bytes(length))
        }
        for (index, content) in contents.enumerated() {
            try Data(content).write(to: directory.appending(component: "\(index)"))
        }
        let git = Process()
        git.executableURL = URL(filePath: "/usr/bin/env")
        git.currentDirectoryURL = directory
        git.arguments = ["git", "hash-object", "--no-filters"] + contents.indices.map { "\($0)" }
        let output = Pipe()
        git.standardOutput = output
        try git.run()
        let text = String(decoding: try #require(try output.fileHandleForReading.readToEnd()), as: UTF8.self)
        git.waitUntilExit()
        #expect(
            text.split(separator: "\n").map(String.init) == contents.map { ObjectID.of(.blob, $0).hex },
            "seed \(random.seed)")
    }

    @Test func `an id converts between forty hexadecimal digits and twenty bytes`() throws {
        var random = Seeded()
        for _ in 0..<1000 {
            let bytes = random.bytes(20)
            let id = try #require(ObjectID(bytes))
            #expect(id.bytes == bytes)
            #expect(id.hex.count == 40)
            #expect(ObjectID(hex: id.hex) == id)
            #expect(ObjectID(hex: id.hex.uppercased()) == nil || id.hex == id.hex.uppercased())
            #expect(id.short == String(id.hex.prefix(10)))
        }
        for length in 0...64 where length != 20 { #expect(ObjectID([UInt8](repeating: 1, count: length)) == nil) }
        for length in 0...80 where length != 40 { #expect(ObjectID(hex: String(repeating: "a", count: length)) == nil) }
        #expect(ObjectID(hex: String(repeating: "g", count: 40)) == nil)
        #expect(ObjectID(hex: String(repeating: "ä", count: 20)) == nil)
    }

    @Test func `a version is the first ten digits of a commit`() throws {
        let id = try #require(ObjectID(hex: "0123456789abcdef0123456789abcdef01234567"))
        #expect(Version(id).text == "0123456789")
        #expect(Version("0123456789") == Version(id))
        for text in ["", "012345678", "01234567890", "012345678g", "012345678 ", "current", "ABCDEFABCD", "../../../."] {
            #expect(Version(text) == nil, "\(text)")
        }
    }
}
