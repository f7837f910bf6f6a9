import CSystem
import Foundation
import Glibc
import Model
import Planning
import TestSupport
import Testing

@testable import Deployment

@Suite struct SurveyTests {
    private let key = "0123456789abcdef"
    private var script: SurveyScript { SurveyScript(key: key) }

    /// Runs scripts with the shell of this machine, as a host does. The last one's output.
    private func ask(_ lines: String...) throws -> SurveyPieces {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", SurveyScript.listener]
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, FileHandle.nullDevice)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
        try input.fileHandleForWriting.close()
        let bytes = try #require(try output.fileHandleForReading.readToEnd())
        process.waitUntilExit()
        return SurveyPieces(Array(bytes), key: key)
    }

    @Test func `files of any name are found, and read to the last byte`() throws {
        let directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/deptool-survey-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var random = Seeded()
        let odd = ["it's", "a b", "$(x)`y`", "\"q\"", #"back\slash\"#, "*", "-n", "é", "\u{202e}", "!", "~", "#"]
        var files: [String: [UInt8]] = [:]
        for name in odd {
            files["\(directory)/\(name)"] = random.pick([random.bytes(random.int(0...3000)), [], [10], Array("a\n\n".utf8)])
        }
        for (path, content) in files { try Data(content).write(to: URL(filePath: path)) }
        try Data().write(to: URL(filePath: directory + "/a\nb"))
        try FileManager.default.createSymbolicLink(atPath: "\(directory)/link", withDestinationPath: "it's")

        let survey = try #require(try HostSurvey(ask(script.survey([AbsolutePath(directory)]))), "seed \(random.seed)")
        let found = survey.entries.filter { $0.status.isFile }.compactMap(\.path)
        #expect(Set(found.map(\.text)) == Set(files.keys), "seed \(random.seed)")
        #expect(survey.entries.filter { $0.path == nil }.map(\.problem) == [.controlCharacter])
        #expect(survey.entries.first { $0.status.isSymlink }?.target?.path.text == "\(directory)/it's")
        let sizes = found.map { UInt64(files[$0.text]?.count ?? 0) }
        let contents = try #require(try FoundContent.read(ask(script.contents(found)), sizes: sizes))
        #expect(contents == found.map { .whole(files[$0.text] ?? []) }, "seed \(random.seed)")
        let none = try AbsolutePath(directory + "/none")
        #expect(try FoundContent.read(ask(script.contents([none])), sizes: [0]) == [.leftOut(.unreadable)])
    }

    /// user::rw- user:1:r-- group::r-- mask::r-- other::r-- (acl(5)), as the kernel keeps it.
    private static let list: [UInt8] = [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255,
        32, 0, 4, 0, 255, 255, 255, 255,
    ]

    @Test func `a file with an access control list is left out`() throws {
        let path = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/deptool-survey-\(UUID().uuidString)"
        try Data("x".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        // A file system without such lists has no files that would lose one.
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        let result = csys_fsetxattr(descriptor, "system.posix_acl_access", Self.list, Self.list.count)
        if result == -EOPNOTSUPP { return }
        #expect(result == 0)
        let pieces = try ask(script.contents([AbsolutePath(path)]))
        #expect(FoundContent.read(pieces, sizes: [1]) == [.leftOut(.accessControlList)])
    }

    @Test func `a file of another size than a moment before is left out`() throws {
        func read(_ text: String, _ size: UInt64) -> [FoundContent]? {
            FoundContent.read(SurveyPieces(Array(text.utf8), key: "K"), sizes: [size])
        }
        #expect(read("K content\nabc\nK whole\nK end\n", 3) == [.whole(Array("abc".utf8))])
        #expect(read("K content\nabc\nK whole\nK end\n", 4) == [.leftOut(.changedMeanwhile)])
        #expect(read("K content\nK acl\nK end\n", 4) == [.leftOut(.accessControlList)])
        for wrong in [
            "", "K end\n", "K whole\nK end\n", "K content\nabcK whole\nK end\n", "K content\nabc\nK whole\n", "K content\nK word\nK end\n",
        ] {
            #expect(read(wrong, 3) == nil, "\(wrong)")
        }
    }

    @Test func `the listener passes through any shell, and scripts are one line`() throws {
        #expect(!SurveyScript.listener.contains { "'\\!\n".contains($0) })
        let paths = [try AbsolutePath("/etc"), try AbsolutePath("/a'b")]
        #expect(!script.survey(paths).contains("\n") && !script.contents(paths).contains("\n"))
    }

    @Test func `what cannot be read is refused, and never half believed`() {
        for text in [
            "", "K file 81a4 1 root root /etc/x\n", "K file zz 1 root root /etc/x\nK end\n", "K file 81a4 -1 root root /etc/x\nK end\n",
            "K file 81a4 1 root /etc/x\nK end\n", "K other\nK end\n", "K missing find\nK end\n",
            "K file ffffffff 1 root root /etc/x\nK end\n",
        ] { #expect(HostSurvey(SurveyPieces(Array(text.utf8), key: "K")) == nil, "\(text)") }
    }
}
