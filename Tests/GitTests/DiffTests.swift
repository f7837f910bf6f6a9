import Foundation
import Git
import Model
import TestSupport
import Testing

@Suite struct DiffTests {
    private func diff(_ old: [UInt8]?, _ new: [UInt8]?) throws -> FileDiff {
        let workshop = try Workshop()
        if let old { try workshop.write("web1/app/old", old) }
        if let new { try workshop.write("web1/app/new", new) }
        let store = try workshop.store()
        _ = try store.importCluster(at: workshop.cluster)
        return try store.fileDiff(old: old.map { .of(.blob, $0) }, new: new.map { .of(.blob, $0) }, path: "file")
    }

    private func text(_ old: String?, _ new: String?) throws -> TextDiff? {
        guard case .text(let text) = try diff(old.map { Array($0.utf8) }, new.map { Array($0.utf8) }) else { return nil }
        return text
    }

    @Test func `a change shows its lines and their surroundings`() throws {
        let old = (1...20).map { "line \($0)\n" }.joined()
        let new = old.replacingOccurrences(of: "line 10\n", with: "line ten\nand more\n")
        let diff = try #require(try text(old, new))
        #expect(diff.added == 2)
        #expect(diff.removed == 1)
        #expect(diff.hunks.map(\.header) == ["@@ -7,7 +7,8 @@ line 6"])
        #expect(
            diff.hunks.first?.lines == [
                .init(.context, "line 7"), .init(.context, "line 8"), .init(.context, "line 9"),
                .init(.removed, "line 10"), .init(.added, "line ten"), .init(.added, "and more"),
                .init(.context, "line 11"), .init(.context, "line 12"), .init(.context, "line 13"),
            ])
    }

    @Test func `a missing newline at the end belongs to its line`() throws {
        #expect(
            try text("a\nb", "a\nb\n")?.hunks.first?.lines == [
                .init(.context, "a"), .init(.removed, "b", endsWithNewline: false), .init(.added, "b"),
            ])
        #expect(
            try text("a\nb", "c\nb")?.hunks.first?.lines == [
                .init(.removed, "a"), .init(.added, "c"), .init(.context, "b", endsWithNewline: false),
            ])
    }

    @Test func `a new, a removed and an empty file have a diff`() throws {
        #expect(try text(nil, "a\n")?.hunks.first?.lines == [.init(.added, "a")])
        #expect(try text("a\n", nil)?.hunks.first?.lines == [.init(.removed, "a")])
        #expect(try text(nil, "") == TextDiff(hunks: [], added: 0, removed: 0))
        #expect(try text("", "a\n")?.added == 1)
    }

    @Test func `binary and large files show sizes`() throws {
        #expect(try diff([1, 0, 2], [1, 0, 2, 3]) == .binary(oldSize: 3, newSize: 4))
        #expect(try diff(nil, [0]) == .binary(oldSize: nil, newSize: 1))
        let large = [UInt8](repeating: 10, count: Int(Store.maximumDiffed) + 1)
        #expect(try diff(large, nil) == .binary(oldSize: UInt64(large.count), newSize: nil))
    }

    /// Bytes of the difference applied to the old lines.
    private func applied(_ diff: TextDiff, to old: [String]) throws -> [String] {
        var (result, at): ([String], Int) = ([], 0)
        for hunk in diff.hunks {
            let start = try #require(hunk.header.firstMatch(of: /^@@ -([0-9]+)/).flatMap { Int($0.output.1) }) - 1
            result += old[at..<max(start, at)]
            at = max(start, at)
            for line in hunk.lines {
                if line.kind != .added {
                    #expect(old[at] == line.text)
                    at += 1
                }
                if line.kind != .removed { result.append(line.text) }
            }
        }
        return result + old[at...]
    }

    /// This takes Git minutes, since every line has thousands of counterparts.
    @Test(arguments: [2, 1000, 1 << 20]) func `large files of similar lines are compared quickly`(variety: Int) throws {
        var random = Seeded(UInt64(variety))
        func lines() -> [String] { (0..<110_000).map { _ in "\(UInt64.random(in: 0..<UInt64(variety), using: &random))" } }
        let ends = ["first", "second", "third", "fourth"]
        let (old, new) = (ends + lines() + ends, ends + lines() + ends)
        func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }
        let diff = try #require(try self.text(text(old), text(new)))
        #expect(try applied(diff, to: old) == new)
        #expect(diff.added == diff.hunks.flatMap(\.lines).count { $0.kind == .added } && diff.removed > 0)
        #expect(diff.hunks.first?.lines.first?.kind == .context)
        // It looks for no shortest difference if that would take long.
        if variety <= 1000 { #expect(diff.hunks.count == 1) }
    }

    @Test func `a few changes of a large file are shown line by line`() throws {
        let old = (0..<110_000).map { "\($0 % 7)" }
        var new = old
        for at in stride(from: 1000, to: 110_000, by: 1000) { new[at] = "changed" }
        func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }
        let diff = try #require(try self.text(text(old), text(new)))
        #expect(diff.hunks.count == 109 && diff.added == 109 && diff.removed == 109)
    }

    @Test func `compared trees list their changes`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        let old = try store.importCluster(at: workshop.cluster)
        try workshop.write("web1/nginx/manifest.json", "{ }\n")
        try workshop.write("web1/nginx/systemd/nginx.service", "[Service]\n", mode: 0o755)
        try workshop.remove("web1/nginx/bin")
        try workshop.write("web1/nginx/bin", "now a file\n")
        try workshop.write("new/app/file", "x")
        let new = try store.importCluster(at: workshop.cluster)
        func version(_ text: String, _ isExecutable: Bool = false) -> ChangedFile.Version {
            .init(id: .of(.blob, Array(text.utf8)), isExecutable: isExecutable)
        }
        #expect(
            try store.compareTrees(old: old, new: new) == [
                ChangedFile(path: "new/app/file", old: nil, new: version("x")),
                ChangedFile(path: "web1/nginx/bin", old: nil, new: version("now a file\n")),
                ChangedFile(path: "web1/nginx/bin/run", old: version("#!/bin/sh\n", true), new: nil),
                ChangedFile(path: "web1/nginx/manifest.json", old: version("{}\n"), new: version("{ }\n")),
                ChangedFile(
                    path: "web1/nginx/systemd/nginx.service",
                    old: version("[Service]\n"), new: version("[Service]\n", true)),
            ])
        #expect(try store.compareTrees(old: new, new: new) == [])
        #expect(try store.compareTrees(old: nil, new: nil) == [])
        #expect(try store.compareTrees(old: old, new: nil).count == store.compareTrees(old: nil, new: old).count)
    }
}
