import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Display

@Suite struct StatusTextTests {
    private func commit(_ author: String, time: Int64 = 1) -> Commit {
        Commit(
            id: ObjectID.of(.commit, Array(author.utf8)), tree: .of(.tree, []), parents: [],
            author: Author(name: author, email: ""), time: time, message: "")
    }

    private func status(
        _ host: String, _ commit: Commit?, _ old: [String: [String: String]] = [:], _ new: [String: [String: String]] = [:],
        isInTree: Bool = true
    ) throws -> HostStatus {
        HostStatus(
            host: try hostname(host), deployed: commit,
            changed: HostPlan(base: nil, deployed: try tree(old), wanted: try tree(new))?.changes ?? [], isInTree: isInTree)
    }

    private func text(_ hosts: [HostStatus], style: Style = .plain) -> String {
        StatusText(style: style, time: { "time \($0)" }).render(hosts)
    }

    @Test func `every host has a line`() throws {
        let (ada, bob) = (commit("Ada", time: 7), commit("Bob Loblaw"))
        #expect(
            text([
                try status("a", ada), try status("long", bob), try status("new", nil, [:], ["x": ["f": ""]]),
                try status("b", ada, ["x": ["f": "1"], "y": ["f": "1"]], ["x": ["f": "2"], "z": ["f": "1"]]),
                try status("old", ada, isInTree: false),
            ]) == """
                a     time 7  \(ada.id.short)  Ada
                long  time 1  \(bob.id.short)  Bob Loblaw
                new   new host
                b     time 7  \(ada.id.short)  Ada         undeployed changes: ~ x, - y, + z
                old   time 7  \(ada.id.short)  Ada         not in the config tree any more, but still deployed

                """)
    }

    @Test func `names of authors are harmless`() throws {
        #expect(text([try status("a", commit("A\u{202e}B"))]).hasSuffix("  A\\u{202e}B\n"))
        #expect(text([]) == "")
    }

    @Test func `what changed has its colour`() throws {
        #expect(
            text([try status("a", commit("Ada"), ["x": ["f": "1"]], ["z": ["f": ""]])], style: .color)
                .hasSuffix("undeployed changes: \u{1b}[31m- x\u{1b}[0m, \u{1b}[32m+ z\u{1b}[0m\n"))
    }
}
