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
    private func ask(_ lines: String..., path: String? = nil) throws -> SurveyPieces {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        if let path { process.environment = ["PATH": path] }
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

    private func makeDirectory() throws -> String {
        let directory = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/deptool-survey-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        return directory
    }

    private func write(_ text: String, _ path: String, mode: Int = 0o644) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    /// The files that a survey of the directory finds.
    private func files(in directory: String) throws -> [FoundFile] {
        let place = try AbsolutePath(directory)
        return Selection(try #require(try HostSurvey(ask(script.survey([place])))), below: [place], claimed: []).files
    }

    @Test func `files of any name are found and read completely`() throws {
        let directory = try makeDirectory()
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
        let read = try self.files(in: directory).filter { $0.target == nil }
        let contents = try #require(try FoundContent.read(ask(script.contents(read.map(\.path))), of: read))
        #expect(contents == read.map { .whole(files[$0.path.text] ?? []) }, "seed \(random.seed)")
        let none = FoundFile(path: try AbsolutePath(directory + "/none"), status: read[0].status, origin: .own)
        #expect(try FoundContent.read(ask(script.contents([none.path])), of: [none]) == [.leftOut(.unreadable)])
    }

    @Test(arguments: ["closed file", "file in a closed directory", "directory", "link", "other file", "fifo"])
    func `what a user puts in place of a file after the survey is not read`(what: String) throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let manager = FileManager.default
        for name in ["user", "user/conf", "closed"] {
            try manager.createDirectory(
                atPath: "\(directory)/\(name)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        }
        try write("public", "\(directory)/user/conf/x")
        try manager.createSymbolicLink(atPath: "\(directory)/user/conf/link", withDestinationPath: "x")
        let file = try #require(try files(in: "\(directory)/user").first { $0.path.name == (what == "link" ? "link" : "x") })
        #expect(try FoundContent.read(ask(script.contents([file.path])), of: [file]) == [.whole(Array("public".utf8))])

        try write("secret", "\(directory)/closed/x", mode: what == "closed file" ? 0o600 : 0o644)
        try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: "\(directory)/closed")
        if what == "directory" {
            try manager.moveItem(atPath: "\(directory)/user/conf", toPath: "\(directory)/user/away")
            try manager.createSymbolicLink(atPath: "\(directory)/user/conf", withDestinationPath: "\(directory)/closed")
        } else {
            try manager.removeItem(atPath: file.path.text)
            switch what {
            case "fifo": #expect(mkfifo(file.path.text, 0o644) == 0)
            case "other file": try write("secret", file.path.text, mode: 0o640)
            default: try manager.createSymbolicLink(atPath: file.path.text, withDestinationPath: "\(directory)/closed/x")
            }
        }
        let contents = try FoundContent.read(ask(script.contents([file.path])), of: [file])
        #expect(contents == [.leftOut(what == "fifo" ? .unreadable : .changedMeanwhile)])
    }

    @Test func `users of the host cannot see the key, and no name looks like a piece`() throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for program in ["find", "stat", "head", "ls", "readlink", "sed", "grep", "md5sum", "dpkg-query", "sh", "cat"] {
            let script = "#!/bin/sh\nprintf '%s\\n' \(program) \"$@\" >>\(directory)/log\nPATH=${PATH#*:} exec \(program) \"$@\"\n"
            try write(script, "\(directory)/\(program)", mode: 0o755)
        }
        try write("x", "\(directory)/a\n\(key) file 81a4 1 root root b")
        try FileManager.default.createSymbolicLink(atPath: "\(directory)/link", withDestinationPath: "log")
        let place = try AbsolutePath(directory)
        let path = "\(directory):/usr/sbin:/usr/bin:/sbin:/bin"
        let survey = try #require(try HostSurvey(ask(script.survey([place]), path: path)))
        #expect(survey.entries.count { $0.path == nil } == 1)
        _ = try ask(script.contents([place.appending(try RelativePath("sed"))]), path: path)
        let log = try String(contentsOfFile: "\(directory)/log", encoding: .utf8)
        #expect(log.contains("readlink\n") && log.contains("stat\n") && log.contains("sh\n"))
        #expect(!log.replacing("a\n\(key) file 81a4", with: "").contains(key))
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
        #expect(FoundContent.read(pieces, of: [try found(path, size: 1)]) == [.leftOut(.accessControlList)])
    }

    private func found(_ path: String, size: UInt64) throws -> FoundFile {
        let status = HostSurvey.Status(mode: 0o100644, size: size, owner: "root", group: "root")
        return FoundFile(path: try AbsolutePath(path), status: status, origin: .own)
    }

    @Test func `a file that changed meanwhile is left out`() throws {
        func read(_ text: String, _ size: UInt64 = 3) throws -> [FoundContent]? {
            FoundContent.read(SurveyPieces(Array(text.utf8), key: "K"), of: [try found("/srv/x", size: size)])
        }
        let opened = "K file\n/srv/x\n81a4 3 root root /proc/self/fd/0\n41ed 9 root root /srv\n"
        let whole = "K content\nabc\nK whole\nK end\n"
        #expect(try read(opened + whole) == [.whole(Array("abc".utf8))])
        for (was, now) in [
            (" 3 ", " 4 "), ("81a4", "81a0"), ("81a4", "81ed"), ("root root /proc", "ann root /proc"),
            ("root root /proc", "root ann /proc"),
            ("41ed", "41e8"), ("\n/srv/x\n", "\n/root/x\n"), ("\n/srv/x\n", "\n(unreachable)/srv/x\n"), ("41ed 9 root root /srv\n", ""),
            ("\n/srv/x\n", "\n/srv\n/x\n"),
        ] { #expect(try read(opened.replacing(was, with: now) + whole) == [.leftOut(.changedMeanwhile)], "\(now)") }
        #expect(try read(opened.replacing(" 3 ", with: " 4 ") + whole, 4) == [.leftOut(.changedMeanwhile)])
        #expect(try read(opened + "K acl\nK end\n") == [.leftOut(.accessControlList)])
        #expect(try read("K file\nK unreadable\nK end\n") == [.leftOut(.unreadable)])
        for wrong in [
            "", "K end\n", "K whole\nK end\n", whole, opened + "K end\n", opened + "K content\nabcK whole\nK end\n",
            opened + "K content\nabc\nK whole\n", opened + "K content\nK word\nK end\n", opened + opened + whole,
            opened + "K content\nabc\n" + whole,
        ] {
            #expect(try read(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `any shell accepts the listener, and scripts are one line`() throws {
        #expect(!SurveyScript.listener.contains { "'\\!\n".contains($0) })
        let paths = [try AbsolutePath("/etc"), try AbsolutePath("/a'b")]
        #expect(!script.survey(paths).contains("\n") && !script.contents(paths).contains("\n"))
    }

    @Test func `a malformed survey is refused as a whole`() {
        for text in [
            "", "K file 81a4 1 root root /etc/x\n", "K file zz 1 root root /etc/x\nK end\n", "K file 81a4 -1 root root /etc/x\nK end\n",
            "K file 81a4 1 root /etc/x\nK end\n", "K files\n81a4 1 root root /etc/x\n81a4 1 root /etc/y\nK end\n",
            "K directories\n41ed root root /etc\nK end\n", "K other\nK end\n", "K missing find\nK end\n",
            "K file ffffffff 1 root root /etc/x\nK end\n",
        ] { #expect(HostSurvey(SurveyPieces(Array(text.utf8), key: "K")) == nil, "\(text)") }
    }
}
