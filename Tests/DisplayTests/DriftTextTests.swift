import Deployment
import Git
import Model
import Planning
import SSH
import TestSupport
import Testing

@testable import Display

@Suite struct DriftTextTests {
    private let edited = Drift.Found.file(.of(.blob, [1]), size: 1)

    private func drift(_ finding: Drift.Finding, _ app: String = "nsd") -> Drift { Drift(AppName(app), finding) }

    private func findings() throws -> [Drift] {
        let unit = try unitName("nsd.service")
        let (path, link) = (try RelativePath("conf/a"), try AbsolutePath("/etc/a"))
        let recorded = Drift.Attributes(mode: 0o444, uid: 0, gid: 0)
        func attributes(_ path: String, _ mode: UInt32, _ uid: UInt32) -> Drift.Finding {
            .attributes(path, found: Drift.Attributes(mode: mode, uid: uid, gid: 0), recorded: recorded)
        }
        return [
            Drift(nil, .leftover("/var/lib/deptool/store/undo")), Drift(nil, attributes("/var/lib/deptool/store", 0o777, 0)),
            drift(.file(path, edited)), drift(.file(path, .nothing)), drift(.file(path, .symlink(to: "\u{1b}[2J"))),
            drift(.file(path, .directory)), drift(.file(path, .other)), drift(.extra("\u{7}")), drift(attributes("a", 0o4755, 0)),
            drift(attributes("a", 0o444, 1000)), drift(attributes(".", 0o40, 1000)), drift(.link(link, path, .nothing)),
            drift(.link(link, path, edited)), drift(.link(link, path, .symlink(to: "/dev/null"))), drift(.current(.nothing)),
            drift(.current(.symlink(to: "x"))), drift(.disabled(unit)), drift(.unwell(unit, .exited(status: 0))),
            drift(.unwell(unit, .failed(result: "exit-code", status: 1)), "other"),
        ]
    }

    private func render(_ results: VerifyText.Results) -> String { VerifyText(style: .plain).render(results) }

    private func found(_ drift: [Drift], known: ObjectID? = .of(.commit, [])) -> Result<Verification, HostError> {
        .success(Verification(commit: .of(.commit, []), known: known, drift: drift))
    }

    @Test func `each finding is a line below its app`() throws {
        #expect(
            render([(try hostname("ns1"), found(try findings())), (try hostname("ns2"), found([]))]) == """
                ns1
                    ! /var/lib/deptool/store/undo is left over
                    ! /var/lib/deptool/store has mode 0777 instead of 0444
                    nsd
                        ! conf/a was edited
                        ! conf/a is missing
                        ! conf/a was replaced by a symlink to ^[[2J
                        ! conf/a was replaced by a directory
                        ! conf/a was replaced by something that is no file
                        ! ^G was added
                        ! a has mode 4755 instead of 0444
                        ! a belongs to 1000:0 instead of root
                        ! its directory has mode 0040 instead of 0444 and belongs to 1000:0 instead of root
                        ! /etc/a is missing
                        ! /etc/a was replaced by a file
                        ! /etc/a was replaced by a symlink to /dev/null
                        ! current is missing
                        ! current points to no version
                        ! unit nsd.service is disabled
                        ! unit nsd.service is stopped
                    other
                        ! unit nsd.service failed (exit-code, status 1)

                1 host as deployed, 1 not.

                `deptool deploy --repair` shows the plan that restores them, and applies it.

                """)
    }

    @Test func `unchanged hosts take no line`() throws {
        #expect(render([(try hostname("ns1"), found([])), (try hostname("ns2"), found([]))]) == "2 hosts as deployed.\n")
    }

    @Test func `deploys of other operators and unreachable hosts are reported`() throws {
        let (old, new) = (ObjectID.of(.commit, [1]), ObjectID.of(.commit, []))
        let error = HostError.ssh(.interrupted)
        #expect(
            render([
                (try hostname("ns1"), found([], known: old)), (try hostname("ns2"), found([], known: nil)),
                (try hostname("ns3"), .success(Verification(commit: nil, known: old))),
                (try hostname("ns4"), .failure(error)),
            ]) == """
                ns1
                    runs \(new.short), not \(old.short): somebody else deployed to it since

                ns2
                    runs \(new.short): somebody else deployed to it since

                ns3
                    nothing is deployed on it any more: it has been wiped or reinstalled

                ns4
                    \(error.phrase)
                \(error.explanation(try hostname("ns4")) ?? "")

                0 hosts as deployed, 3 not, 1 could not be reached.

                """)
    }

    @Test func `a plan shows drift before the steps that repair it`() throws {
        let apps = [
            "nsd": [
                "manifest.json": manifest(units: ["nsd.service"], links: ["/etc/a": "conf/a", "/etc/b": "conf/a"]),
                "systemd/nsd.service": "", "conf/a": "1",
            ]
        ]
        let host = try tree(apps)
        let path = try RelativePath("conf/a")
        let drift = [
            Drift(nil, .leftover("/var/lib/deptool/store/undo")), drift(.file(path, edited)),
            drift(.link(try AbsolutePath("/etc/a"), path, edited)),
            drift(.link(try AbsolutePath("/etc/b"), path, .symlink(to: "/dev/null"))),
        ]
        let plan = try #require(
            HostPlan(base: .of(.commit, []), deployed: host, wanted: host, safety: Safety(guard: .never), drift: drift))
        #expect(
            PlanText(style: .plain).render(Plan(hosts: [plan])) == """
                web1
                    ! /var/lib/deptool/store/undo is left over
                    repair nsd
                        ! conf/a was edited
                        ! /etc/a was replaced by a file
                        ! /etc/b was replaced by a symlink to /dev/null
                        keep /etc/a as it is in /var/lib/deptool/store/kept
                        link /etc/a -> conf/a
                        replace /etc/b, which is not Deptool's
                        link /etc/b -> conf/a
                        restart unit nsd.service (conf/a changed)

                """)
        #expect(Plan(hosts: [plan]).changedFiles.map(\.path) == ["web1/nsd/conf/a", "web1/etc/a"])
    }

    @Test func `edited files are compared with the deployed ones`() throws {
        let (path, other) = (try RelativePath("conf/a"), try RelativePath("conf/b"))
        let files = try [file("conf/a", "1"), file("conf/b", "2")]
        let app = try #require(AppName("nsd"))
        let found = Verification(
            commit: nil, known: nil,
            drift: [
                drift(.file(path, edited)), drift(.file(other, .nothing)), drift(.file(other, .directory)), drift(.current(.nothing)),
                drift(.link(try AbsolutePath("/etc/a"), path, edited)),
            ], files: [app: files])
        let changes = found.editedFiles(try hostname("web1"))
        #expect(changes.map(\.path) == ["web1/nsd/conf/a", "web1/nsd/conf/b", "web1/etc/a"])
        #expect(changes.map(\.old?.id) == [files[0].id, files[1].id, files[0].id])
        #expect(changes.map(\.new?.id) == [.of(.blob, [1]), nil, .of(.blob, [1])])
    }

    @Test func `a finding as JSON has a word, an app and a phrase`() throws {
        let words = try findings().map { driftJSON($0).text }
        #expect(
            words[0]
                == #"{"drift":"leftover","app":null,"message":"/var/lib/deptool/store/undo is left over","path":"/var/lib/deptool/store/undo"}"#
        )
        #expect(
            words[2].hasPrefix(#"{"drift":"edited","app":"nsd","message":"conf/a was edited","path":"conf/a","found":"file","content":""#))
        #expect(words[8].contains(#""mode":"4755","recorded_mode":"0444","owner":"0:0","recorded_owner":"0:0"}"#))
    }
}
