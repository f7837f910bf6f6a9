import Git
import Model
import Planning
import SSH
import TestSupport
import Testing

@testable import Deployment
@testable import Display

@Suite struct StatusTextTests {
    private func commit(_ author: String, time: Int64 = 1) -> Commit {
        Commit(
            id: ObjectID.of(.commit, Array(author.utf8)), tree: .of(.tree, []), parents: [],
            author: Author(name: author, email: ""), time: time, message: "")
    }

    private func status(
        _ host: String, _ commit: Commit?, _ old: [String: [String: String]] = [:], _ new: [String: [String: String]] = [:],
        isInTree: Bool = true, hold: String? = nil, says answer: Result<HostCondition, HostError>? = nil
    ) throws -> HostStatus {
        let name = try hostname(host)
        return HostStatus(
            host: name, deployed: commit,
            changed: HostPlan(base: nil, deployed: try tree(old), wanted: try tree(new))?.changes ?? [], isInTree: isInTree,
            hold: hold.map { Hold(host: name, until: 9, author: "Ada", reason: $0) }, answer: answer)
    }

    private func text(_ hosts: [HostStatus], style: Style = .plain, mistake: String? = nil, all: Bool = false) -> String {
        StatusText(style: style, time: { "time \($0)" }).render(hosts, mistake: mistake, all: all)
    }

    private func well(_ commit: Commit) -> Result<HostCondition, HostError> {
        .success(HostCondition(commit: commit.id, known: commit.id))
    }

    @Test func `problems come first, grouped by kind, then healthy hosts`() throws {
        let (ada, bob) = (commit("Ada", time: 7), commit("Bob Loblaw"))
        let web = try #require(AppName("web"))
        let ill = HostCondition(
            commit: ada.id, known: ada.id, failed: ["a.service", "x\u{1b}.service"],
            drift: [
                Drift(web, .unwell(try unitName("a.service"), .failed(result: "exit-code", status: 1))),
                Drift(web, .unwell(try unitName("b.service"), .exited(status: 0))),
                Drift(web, .extra("new")), Drift(web, .file(try RelativePath("conf"), .nothing)),
                Drift(nil, .leftover("/var/lib/deptool/x")), Drift(web, .extra("more")), Drift(web, .extra("most")),
            ])
        #expect(
            text([
                try status("b", ada, ["x": ["f": "1"], "y": ["f": "1"]], ["x": ["f": "2"], "z": ["f": "1"]], says: well(ada)),
                try status("c", ada, ["x": ["f": "1"], "y": ["f": "1"]], ["x": ["f": "2"], "z": ["f": "1"]], says: well(ada)),
                try status("down", bob, says: .failure(.ssh(.interrupted))),
                try status("held", bob, hold: "new disk", says: .failure(.ssh(.interrupted))),
                try status("ill", ada, says: .success(ill)),
                try status("moved", ada, says: .success(HostCondition(commit: bob.id, known: ada.id))),
                try status("new", nil, [:], ["x": ["f": ""]], says: .success(HostCondition(commit: nil, known: nil))),
                try status("old", ada, isInTree: false, says: well(ada)), try status("one", ada, says: well(ada)),
                try status("two", bob, says: well(bob)),
                try status("wiped", ada, says: .success(HostCondition(commit: nil, known: ada.id))),
            ]) == """
                Could not be asked:
                    down, held: interrupted

                Units that are not well:
                    ill: a.service failed (exit-code, status 1), b.service is stopped, x^[.service failed

                Somebody else deployed, or the host is new:
                    moved: runs \(bob.id.short), not \(ada.id.short)
                    wiped: nothing is deployed on it any more

                Changed on the host:
                    ill: web: new was added; web: conf is missing; /var/lib/deptool/x is left over; and 2 more

                Held:
                    held: until time 9 by Ada: new disk

                Undeployed changes:
                    b, c: ~ x, - y, + z
                    new: new host

                Not in the config tree any more, but still deployed:
                    old

                2 hosts are well:
                    one, two

                """)
    }

    @Test func `with --offline, no host is called healthy`() throws {
        let ada = commit("Ada", time: 7)
        #expect(
            text([try status("a", ada), try status("long", commit("Bob")), try status("new", nil)], all: true) == """
                Undeployed changes:
                    new: new host

                2 hosts match the config tree:
                    a, long

                Last deploys:
                    a     time 7  \(ada.id.short)  Ada
                    long  time 1  \(commit("Bob").id.short)  Bob
                    new   never

                """)
        #expect(
            text([try status("a", ada)], mistake: "prod/a/x: is wrong\nCorrect it.") == """
                The config tree has a mistake, so changes are not known:
                    prod/a/x: is wrong
                    Correct it.

                """)
        #expect(text([try status("a", ada)]) == "1 host matches the config tree:\n    a\n")
        #expect(text([try status("a", ada, says: well(ada))]) == "1 host is well:\n    a\n")
        #expect(text([]) == "")
    }

    @Test(arguments: [("web", 0), ("web", 1), ("a-rather-long-name-of-a-server.frankfurt.example.com-", 3)])
    func `fifty hosts fit one screen`(prefix: String, held: Int) throws {
        let ada = commit("Ada")
        let hosts = try (10..<60).map { number in
            try status("\(prefix)\(number)", ada, hold: number < 10 + held ? "new disk" : nil, says: well(ada))
        }
        let shown = text(hosts)
        let lines = shown.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 24 && lines.allSatisfy { $0.count <= 100 }, "\(shown)")
        #expect(shown.contains("\(50 - held) hosts are well:\n") && shown.contains("\(prefix)\(10 + held)"), "\(shown)")
        // The same change on all of them.
        let changed = text(try (10..<60).map { try status("web\($0)", ada, ["x": ["f": "1"]], ["x": ["f": "2"]], says: well(ada)) })
        #expect(changed.hasPrefix("Undeployed changes:\n    ~ x:\n        web10, web11, ") && changed.hasSuffix(", web59\n"), "\(changed)")
        #expect(changed.split(separator: "\n").count <= 8, "\(changed)")
    }

    @Test func `names of authors are escaped`() throws {
        #expect(text([try status("a", commit("A\u{202e}B"))], all: true).hasSuffix("  A\\u{202e}B\n"))
    }

    @Test func `changes and urgent problems have colours`() throws {
        #expect(
            text(
                [
                    try status("a", commit("Ada"), ["x": ["f": "1"]], ["z": ["f": ""]]),
                    try status("b", commit("Ada"), says: .failure(.ssh(.interrupted))),
                ], style: .color
            ) == """
                \u{1b}[1;31mCould not be asked\u{1b}[0m:
                    b: interrupted

                \u{1b}[1mUndeployed changes\u{1b}[0m:
                    a: \u{1b}[31m- x\u{1b}[0m, \u{1b}[32m+ z\u{1b}[0m

                """)
    }
}
