import Foundation
import Testing

/// The commands that speak to no host.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class CommandTests {
    private let site: Site
    private let cluster: Cluster

    init() throws {
        site = try Site()
        cluster = try Cluster(site, isInitialized: false)
    }

    @Test func `init creates the store and the default cluster, also twice`() throws {
        for _ in 1...2 {
            let output = try cluster.deptool("init", "prod")
            #expect(output.code == 0)
            expect(
                output.text,
                is: """
                    The store is \(cluster.directory)/.deptool.
                    The default cluster is \(cluster.directory)/prod.

                    """)
        }
    }

    @Test func `init creates the cluster's directory if it is missing`() throws {
        try cluster.deptool("init", "staging").require(0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(cluster.directory)/staging") == [])
    }

    @Test func `plan does not keep the contents of files in memory`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.run(
            """
            for app in $(seq 2000); do
                mkdir -p prod/web$((app % 20))/app$app
                head -c 60000 /dev/urandom > prod/web$((app % 20))/app$app/file
            done
            """)
        let plan = try cluster.start("plan")
        try plan.finish().require(0)
        #expect(plan.peakMemory < 90_000, "\(plan.peakMemory) kB")
    }

    @Test func `plan lists files, links and units, host by host`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.addService("clock", on: "web1")
        try cluster.write("web1/motd/text", "Hello\n")
        try cluster.write("web1/motd/manifest.json", #"{"symlinks": {"/etc/motd.d/10-deptool": "text"}}"#)
        try cluster.write("web2/users/sysusers/app.conf", "u app - -\n")
        try cluster.write("web2/users/systemd/cron.service.d/limits.conf", "[Service]\nMemoryMax=1G\n")
        try cluster.write("web2/users/tmpfiles/app.conf", "d /run/app\n")
        try cluster.write("web2/users/quadlets/app.container", "[Container]\n")

        let output = try cluster.deptool("plan")

        #expect(output.code == 0)
        #expect(output.errors == "")
        expect(
            output.text,
            is: """
                web1 (new host)
                    add clock
                        + manifest.json
                        + systemd/clock.service
                        place unit clock.service
                        reload systemd
                        enable unit clock.service
                        start unit clock.service (restart it if it runs with other files)
                    add motd
                        + manifest.json
                        + text
                        link /etc/motd.d/10-deptool -> text

                web2 (new host)
                    add users
                        + quadlets/app.container
                        + systemd/cron.service.d/limits.conf
                        + sysusers/app.conf
                        + tmpfiles/app.conf
                        place sysusers app.conf
                        place tmpfiles app.conf
                        run systemd-sysusers
                        run systemd-tmpfiles
                        place quadlet app.container
                        place unit cron.service.d/limits.conf
                        reload systemd
                    keep it only if a new login works (/etc/sysusers.d/app.conf is touched)

                """)
    }

    @Test func `plan makes no commit and works from a directory below`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.addService("clock", on: "web1")
        let plan = try cluster.deptool("plan").require(0)
        let below = try Program(
            [Tools.deptool, "plan"], in: "\(cluster.directory)/prod/web1", environment: cluster.environment
        ).finish()
        #expect(below == plan)
        let references = try Program(
            ["git", "-C", "\(cluster.directory)/.deptool", "for-each-ref"], environment: cluster.environment
        ).finish()
        #expect(references == Output(code: 0, text: "", errors: ""))
    }

    @Test func `limit takes names, lists and patterns`() throws {
        try cluster.deptool("init", "prod").require(0)
        for host in ["db1", "web1", "web2", "web10"] { try cluster.write("\(host)/app/file", "") }
        func hosts(_ arguments: String...) throws -> [Substring] {
            try Program([Tools.deptool, "plan"] + arguments, in: cluster.directory, environment: cluster.environment)
                .finish().require(0).text.split(separator: "\n").filter { !$0.hasPrefix(" ") }.map { $0.prefix { $0 != " " } }
        }
        #expect(try hosts() == ["db1", "web1", "web10", "web2"])
        #expect(try hosts("--limit", "web2") == ["web2"])
        #expect(try hosts("--limit", "web2,db1") == ["db1", "web2"])
        #expect(try hosts("--limit", "web?", "--limit", "db*") == ["db1", "web1", "web2"])
    }

    @Test func `diff shows every line, and names binary files`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.write("web1/app/list", "one\ntwo")
        try cluster.write("web1/app/logo", "\u{0}\u{1}\u{2}")
        try cluster.write("web1/app/empty", "")

        let output = try cluster.deptool("diff")

        #expect(output.code == 0)
        expect(
            output.text,
            is: """
                --- /dev/null
                +++ web1/app/empty
                --- /dev/null
                +++ web1/app/list
                @@ -0,0 +1,2 @@
                +one
                +two
                \\ No newline at end of file
                --- /dev/null
                +++ web1/app/logo
                binary file, absent -> 3 B

                """)
        expect(
            try cluster.deptool("diff", "--stat").require(0).text,
            is: """
                 web1/app/empty | +0 -0
                 web1/app/list  | +2 -0
                 web1/app/logo  | binary
                 3 files changed, 2 lines added, 0 lines removed

                """)
    }

    @Test func `diff uses the pager on a terminal, and only there`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.write("web1/app/list", "one\n")
        cluster.environment["PAGER"] = "sed s/^/paged:/"
        cluster.environment["NO_COLOR"] = "1"
        let paged = try cluster.start("diff", on: .terminal).finish().require(0).text
        expect(paged, is: "paged:--- /dev/null\npaged:+++ web1/app/list\npaged:@@ -0,0 +1 @@\npaged:+one\n")
        let plain = paged.replacing("paged:", with: "")
        expect(try cluster.deptool("diff").text, is: plain)

        // Where none is set, less, for what does not fit on the screen.
        cluster.environment["PAGER"] = nil
        try cluster.write(outside: "bin/less", "#!/bin/sh\nsed s/^/less:/\n")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o700], ofItemAtPath: "\(cluster.directory)/bin/less")
        cluster.environment["PATH", default: ""] = "\(cluster.directory)/bin:" + cluster.environment["PATH", default: ""]
        expect(try cluster.start("diff", on: .terminal).finish().require(0).text, is: plain)
        try cluster.write("web1/app/list", String(repeating: "one\n", count: 40))
        let long = try cluster.deptool("diff").text
        let shown = try cluster.start("diff", on: .terminal).finish().require(0).text
        expect(shown, is: long.split(separator: "\n").map { "less:\($0)\n" }.joined())
    }

    @Test func `control characters of a file are shown, not obeyed`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.write("web1/app/evil", "\u{1b}[2Jgone\u{202e}\n")
        let output = try cluster.start("diff", on: .terminal).finish()
        #expect(output.text.contains("+^[[2Jgone\\u{202e}"))
    }

    @Test func `status shows new hosts`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.write("web1/app/file", "")
        try cluster.write("web2/app/file", "")
        #expect(
            try cluster.deptool("status", "--offline")
                == Output(code: 0, text: "Undeployed changes:\n    web1, web2: new host\n", errors: ""))
    }

    @Test func `a terminal gets colour, a pipe and NO_COLOR do not`() throws {
        try cluster.deptool("init", "prod").require(0)
        try cluster.write("web1/app/file", "")
        let colored = try cluster.start("plan", on: .terminal).finish().text
        expect(colored, is: "\u{1b}[1mweb1\u{1b}[0m (new host)\n    add app\n        \u{1b}[32m+ file\u{1b}[0m\n")
        let plain = colored.replacing(/\u{1b}\[[0-9;]*m/, with: "")
        expect(try cluster.deptool("plan").text, is: plain)
        cluster.environment["NO_COLOR"] = "1"
        expect(try cluster.start("plan", on: .terminal).finish().text, is: plain)
        cluster.environment["NO_COLOR"] = nil
        cluster.environment["TERM"] = "dumb"
        expect(try cluster.start("plan", on: .terminal).finish().text, is: plain)
    }
}
