import Deployment
import Git
import Model
import TestSupport
import Testing

@testable import Display

@Suite struct LogTextTests {
    private func id(_ number: UInt8) -> ObjectID { .of(.commit, [number]) }

    @Test func `the deploys that an undo undoes are listed, newest first, without control characters`() {
        let text = LogText(style: .plain, time: { "time \($0)" })
        #expect(text.undone([]) == "")
        let commits: [Commit] = [(4, "Deploy to 1 host\n\nCluster: prod"), (5, "\u{1b}[2J")].map { time, message in
            Commit(
                id: id(UInt8(time)), tree: id(0), parents: [], author: Author(name: "Ada", email: "a@b"), time: Int64(time),
                message: message)
        }
        #expect(
            text.undone(Set(commits))
                == "Undoes time 5  \(id(5).short)  Ada  ^[[2J\nUndoes time 4  \(id(4).short)  Ada  Deploy to 1 host\n\n"
        )
    }

    @Test func `hosts with the same outcome share a line`() throws {
        let hosts = try ["a", "b", "c", "d", "e"].map(hostname)
        let notes = try hosts.enumerated().map { index, host in
            HostNote(host: host, before: nil, apps: [.init(index < 3 ? .updated : .added, try #require(AppName("nsd")))])
        }
        let deploy = PastDeploy(
            note: HistoryEntry(
                time: 5, commit: id(1), kind: .deploy, cluster: "prod", author: "Ada \u{1b}L <a@b>", hosts: notes),
            ends: [
                hosts[0]: .init(end: .done, phrase: "done"), hosts[1]: .init(end: .done, phrase: ""),
                hosts[2]: .init(end: .rolledBack, phrase: "rolled back: x"), hosts[3]: .init(end: .failed, phrase: "no \u{1b}"),
            ])
        let text = LogText(style: .plain, time: { "time \($0)" }).render([
            .forgotten(time: 9, hosts[0], commit: id(2)), .found(time: 8, hosts[1], commit: id(3), before: id(2)),
            .found(time: 7, hosts[1], commit: nil, before: nil), .deploy(deploy),
        ])
        #expect(
            text == """
                time 9  \(id(2).short)  forgotten on a
                time 8  \(id(3).short)  found on b, instead of \(id(2).short)
                time 7  nothing     found nothing on b
                time 5  \(id(1).short)  Ada  L  deploy prod
                    a, b  ~ nsd: done
                    c  ~ nsd: rolled back: x
                    d  + nsd: not changed: no ^[
                    e  + nsd: outcome unknown

                """)
    }

    @Test func `control characters of a host are shown, not obeyed`() throws {
        let entries = [
            HostLogEntry(time: 2, before: id(1), commit: id(2), outcome: "de\u{1b}[2J", operatorName: "Ada\u{202e}"),
            HostLogEntry(time: 1, before: nil, commit: id(1), outcome: "deployed", operatorName: "Ada"),
        ]
        let text = LogText(style: .plain, time: { "time \($0)" }).render([
            (try hostname("a"), .success(entries)), (try hostname("b"), .success([])), (try hostname("c"), .failure(.noAgents)),
        ])
        #expect(
            text == """
                a
                    time 2  \(id(1).short) -> \(id(2).short)  de^[[2J  Ada\\u{202e}
                    time 1  nothing    -> \(id(1).short)  deployed  Ada

                b
                    nothing was ever deployed

                c
                    this build of deptool contains no agents
                It was built by a plain `swift build`. `make build` makes one that contains them.

                """)
    }
}
