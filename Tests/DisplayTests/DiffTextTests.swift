import Git
import Model
import TestSupport
import Testing

@testable import Display
@testable import Planning

@Suite struct DiffTextTests {
    private let plan: Plan
    private let diffs: [String: FileDiff]

    init() throws {
        let old = try tree(["a": ["changed": "1", "gone": "1", "image": "1", "mode": "1"]])
        let new = try tree(["a": ["changed": "2", "image": "2", "mode*": "1", "a longer name": "1"]])
        plan = Plan(hosts: [try #require(HostPlan(base: nil, deployed: old, wanted: new))])
        diffs = [
            "a longer name": .text(
                TextDiff(
                    hunks: [.init(header: "@@ -0,0 +1,2 @@", lines: [.init(.added, "one"), .init(.added, "two", endsWithNewline: false)])],
                    added: 2, removed: 0)),
            "changed": .text(
                TextDiff(
                    hunks: [
                        .init(
                            header: "@@ -1,2 +1,2 @@ \u{1b}server",
                            lines: [
                                .init(.context, "same"), .init(.removed, "old\u{1b}[2J", endsWithNewline: false), .init(.added, "\tnew"),
                            ])
                    ], added: 1, removed: 1)),
            "gone": .text(TextDiff(hunks: [.init(header: "@@ -1 +0,0 @@", lines: [.init(.removed, "one")])], added: 0, removed: 1)),
            "image": .binary(oldSize: 3, newSize: 1500), "mode": .text(TextDiff(hunks: [], added: 0, removed: 0)),
        ]
    }

    private func diff(_ file: ChangedFile) -> FileDiff {
        diffs[String(file.path.dropFirst("web1/a/".count))] ?? .binary(oldSize: nil, newSize: nil)
    }

    private func text(_ style: Style) -> String {
        var text = ""
        DiffText(style: style).render(plan.changedFiles, diff: diff) { text += $0 }
        return text
    }

    @Test func `a diff shows every file's lines`() {
        #expect(
            text(.plain) == """
                --- /dev/null
                +++ web1/a/a longer name
                @@ -0,0 +1,2 @@
                +one
                +two
                \\ No newline at end of file
                --- web1/a/changed
                +++ web1/a/changed
                @@ -1,2 +1,2 @@ ^[server
                 same
                -old^[[2J
                \\ No newline at end of file
                +    new
                --- web1/a/gone
                +++ /dev/null
                @@ -1 +0,0 @@
                -one
                --- web1/a/image
                +++ web1/a/image
                binary file, 3 B -> 1.5 kB
                --- web1/a/mode
                +++ web1/a/mode
                mode 0444 -> 0555

                """)
        #expect(withoutColor(text(.color)) == text(.plain))
        #expect(text(.color).contains("\u{1b}[31m-one\u{1b}[0m\n"))
    }

    @Test func `a new binary file has no old size`() throws {
        let change = ChangedFile(path: "h/a/x", old: nil, new: .init(id: .of(.blob, []), isExecutable: false))
        #expect(
            DiffText(style: .plain).render(change, .binary(oldSize: nil, newSize: 7))
                == "--- /dev/null\n+++ h/a/x\nbinary file, absent -> 7 B\n")
    }

    @Test func `the statistics count lines`() {
        #expect(
            DiffText(style: .plain).stat(plan.changedFiles, diff: diff) == """
                 web1/a/a longer name | +2 -0
                 web1/a/changed       | +1 -1
                 web1/a/gone          | +0 -1
                 web1/a/image         | binary
                 web1/a/mode          | +0 -0
                 5 files changed, 3 lines added, 2 lines removed

                """)
    }

    @Test func `a failed diff is an error`() {
        struct Broken: Error {}
        #expect(throws: Broken.self) {
            try DiffText(style: .plain).render(plan.changedFiles, diff: { _ throws(Broken) in throw Broken() }, print: { _ in })
        }
    }
}
