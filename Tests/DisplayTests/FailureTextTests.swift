import Model
import TestSupport
import Testing
import Wire

@testable import Display

@Suite struct FailureTextTests {
    private func phrase(_ problem: Problem) -> String { AgentError(problem).phrase }

    @Test(
        arguments: [
            (Problem.system(operation: "write", path: "/a", code: 28), "cannot write /a: no space left on the disk"),
            (.system(operation: "open", path: "/a\u{1b}", code: 2), "cannot open /a^[: no such file or directory"),
            (.system(operation: "open", path: "/a", code: 13), "cannot open /a: permission denied"),
            (.system(operation: "open", path: "/a", code: 4711), "cannot open /a: error 4711"),
            (
                .command(arguments: ["systemctl", "daemon-reload"], status: 1, output: "x"),
                "`systemctl daemon-reload` failed with status 1"
            ),
            (.command(arguments: ["systemd-sysusers"], status: 137, output: ""), "`systemd-sysusers` was killed by signal 9"),
            (.command(arguments: ["x"], status: 128, output: ""), "`x` failed with status 128"),
            (.command(arguments: ["x"], status: 192, output: ""), "`x` was killed by signal 64"),
            (.command(arguments: ["x"], status: 255, output: ""), "`x` failed with status 255"),
            (.timeout(arguments: ["systemctl", "start", "a.service"], seconds: 90), "`systemctl start a.service` did not end within 90 s"),
            (.corrupt(path: "apps/a/x"), "the content of apps/a/x is damaged"),
            (.cancelled, "cancelled by the operator"),
            (.disconnected, "the connection to the operator was lost"),
            (.notConfirmed(seconds: 45), "no new login to the host worked within 45 s, so this would have locked you out"),
            (.notConfirmed(seconds: 0), "no new login to the host worked, so this would have locked you out"),
            (.otherHostFailed, "another host did not succeed"),
            (.agentDied, "the agent was killed"),
            (.interrupted, "an earlier deploy was interrupted"),
            (.protocolViolation, "the agent received an invalid request"),
            (.unreadable(path: "/r", .truncated), "cannot understand /r: it ends too early"),
        ] as [(Problem, String)])
    func `a problem has a phrase`(problem: Problem, phrase: String) {
        #expect(self.phrase(problem) == phrase)
    }

    @Test(arguments: [
        (UnitProblem.notLoaded(state: "not-found"), "does not exist"),
        (.notLoaded(state: "masked"), "cannot be loaded (masked)"),
        (.failed(result: "timeout", status: 0), "failed (timeout)"),
        (.failed(result: "exit-code", status: 203), "failed (exit-code, status 203)"),
        (.exited(status: 0), "exited with status 0 although it should keep running"),
        (.restarting(times: 0), "crashed and is being restarted"),
        (.restarting(times: 1), "crashed and was restarted once"),
        (.restarting(times: 5), "crashed and was restarted 5 times"),
        (.tooSlow(state: "activating (start)", seconds: 90), "did not become ready within 90 s: it is activating (start)"),
        (.tooSlow(state: "deactivating (stop-sigterm)", seconds: 5), "did not stop within 5 s: it is deactivating (stop-sigterm)"),
    ])
    func `an unhealthy unit has a phrase`(problem: UnitProblem, phrase: String) throws {
        #expect(self.phrase(.unit(try unitName("a.service"), problem, journal: "line")) == "unit a.service " + phrase)
    }

    @Test func `a unit that runs no program has no exit status`() throws {
        #expect(
            self.phrase(.unit(try unitName("a.target"), .exited(status: 0), journal: ""))
                == "unit a.target did not become active, or did not stay so")
    }

    @Test func `an obstacle to a link is named`() throws {
        let path = try AbsolutePath("/etc/x")
        #expect(
            [Occupant.file, .directory, .symlink(to: "/y\n"), .other].map { phrase(.occupied(path, by: $0, for: nil)) } == [
                "/etc/x is a file that is not Deptool's", "/etc/x is a directory that is not Deptool's",
                "/etc/x is a symlink to /y^J that is not Deptool's", "/etc/x is something that is not Deptool's",
            ])
        let link = Link(path: path, app: try #require(AppName("base")), source: try RelativePath("dir/x"))
        #expect(
            AgentError(.occupied(path, by: .file, for: link)).explanation == """
                /etc/x is a file that is not Deptool's, and differs from the config tree's base/dir/x, which would take its place.
                Compare the two. Move /etc/x away on the host, or copy its content into the config tree.
                """)
        #expect(
            AgentError(.occupied(path, by: .directory, for: link)).explanation == """
                /etc/x is a directory that is not Deptool's, where the config tree's base/dir/x would be linked.
                Move /etc/x away on the host, or remove the link from the config tree.
                """)
        #expect(
            AgentError(.occupied(path, by: .file, for: nil)).explanation == """
                /etc/x is a file that is not Deptool's, and is in the way of a link.
                Move /etc/x away on the host.
                """)
    }

    @Test func `explanations quote the programs involved`() throws {
        let unit = try unitName("a.service")
        #expect(
            AgentError(.unit(unit, .restarting(times: 0), journal: "one\n\u{1b}[31mtwo")).explanation == """
                unit a.service crashed and is being restarted; its last journal lines:
                    | one
                    | ^[[31mtwo
                """)
        #expect(
            AgentError(.unit(unit, .tooSlow(state: "activating (start)", seconds: 90), journal: "one")).explanation == """
                unit a.service did not become ready within 90 s: it is activating (start); its last journal lines:
                    | one
                If it needs more time, set it in the app's manifest.json: "timeout": 180
                """)
        #expect(AgentError(.unit(unit, .restarting(times: 0), journal: "")).explanation == "unit a.service crashed and is being restarted")
        #expect(AgentError(.command(arguments: ["x"], status: 1, output: "no")).explanation == "`x` failed with status 1:\n    | no")
        #expect(AgentError(.command(arguments: ["x"], status: 1, output: "")).explanation == "`x` failed with status 1")
        #expect(
            AgentError(.disconnected).explanation
                == "the connection to the operator was lost. A deploy is committed only while you are connected; run `deptool deploy` again."
        )
        #expect(
            AgentError(.unreadable(path: "/r", .notUTF8)).explanation == """
                cannot understand /r: it holds text that is not UTF-8.
                If nothing else explains it, the file was damaged: move /r away on the host.
                """)
        #expect(
            AgentError(.noGroup(try #require(GroupName("nsd")))).explanation == """
                /etc/group has no group 'nsd'.
                Correct "group" in the app's manifest.json, or create the group with a line `g nsd -` in a file of the app's \
                sysusers directory.
                """)
        #expect(AgentError(.cancelled).explanation == "cancelled by the operator")
    }
}
