import Model
import TestSupport
import Testing

@testable import Planning

@Suite struct ChangeTests {
    private func text(_ change: FileChange) -> String {
        switch (change.old, change.new) {
        case (nil, nil): "? \(change.path.text)"
        case (nil, let new?): "+ \(new.path.text)"
        case (let old?, nil): "- \(old.path.text)"
        case (let old?, let new?): "~ \(old.path.text)" + (old.path == new.path ? "" : " is not \(new.path.text)")
        }
    }

    private func changes(_ old: [String: String], _ new: [String: String]) throws -> [String] {
        FileChange.between(try app("a", old).files, try app("a", new).files).map(text)
    }

    @Test func `files are added, changed and removed`() throws {
        #expect(try changes([:], [:]) == [])
        #expect(try changes(["a": "1", "b": "1"], ["a": "1", "b": "1"]) == [])
        #expect(try changes([:], ["b": "", "a": ""]) == ["+ a", "+ b"])
        #expect(try changes(["b": "", "a": ""], [:]) == ["- a", "- b"])
        #expect(
            try changes(["a": "1", "c": "1", "d": "1", "e*": ""], ["b": "1", "c": "1", "d": "2", "e": ""]) == ["- a", "+ b", "~ d", "~ e"])
    }

    @Test func `a file that becomes a directory is removed, and its files are added`() throws {
        #expect(try changes(["a": "", "a-b": ""], ["a/b": "", "a-b": ""]) == ["- a", "+ a/b"])
    }

    @Test func `apps are added, changed and removed`() throws {
        let old = try tree(["a": ["f": "1"], "b": ["f": "1"], "d": ["f": "1"]])
        let new = try tree(["b": ["f": "2"], "c": ["f": "1"], "d": ["f": "1"]])
        let changes = AppChange.between(old.apps, and: new.apps)
        #expect(
            changes.map { "\($0.kind) \($0.app.text): \($0.files.map(text).joined(separator: " "))" } == [
                "remove a: - f", "update b: ~ f", "add c: + f",
            ])
        #expect(AppChange.between(new.apps, and: new.apps) == [])
    }

    @Test func `an app's links are ordered by path`() throws {
        let app = try app(
            "a",
            [
                "manifest.json": manifest(links: ["/etc/b": "f", "/a": "f"]), "f": "", "systemd/x.service": "", "systemd-x/no": "",
                "tmpfiles/t.conf": "",
            ])
        #expect(
            app.links.map { "\($0.path.text) -> \($0.target.text)" } == [
                "/a -> /var/lib/deptool/apps/a/current/f",
                "/etc/b -> /var/lib/deptool/apps/a/current/f",
            ])
        #expect(
            app.placed.map { "\($0.path.text) <- \($0.source.text)" } == [
                "/etc/systemd/system/x.service <- systemd/x.service", "/etc/tmpfiles.d/t.conf <- tmpfiles/t.conf",
            ])
    }
}
