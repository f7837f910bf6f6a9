import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Hosts that are left as they are for a while.
    @Suite final class HoldTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            for host in ["web1", "web2"] { try cluster.write("\(host)/app/conf", "old\n") }
        }

        private func hold(_ arguments: String..., code: Int32 = 0) throws -> Output {
            try Program([Tools.deptool, "hold"] + arguments, in: cluster.directory, environment: cluster.environment).finish().require(code)
        }

        @Test func `a held host is skipped until it is released or included`() throws {
            let hosts = try site.boot(["web1", "web2"])
            try cluster.deploy().require(0)
            for host in ["web1", "web2"] { try cluster.write("\(host)/app/conf", "new\n") }
            let held = try hold("web2", "--for", "8h", "--because", "a new \"disk\" # 100%").text
            let phrase = held.dropFirst("web2  ".count).dropLast()
            #expect(held.hasPrefix("web2  held until 20") && held.hasSuffix(" by Ann: a new \"disk\" # 100%\n"), "\(held)")
            #expect(try hold().text == held)
            let leftOut = "\nLeft out (`--held` includes them):\n    web2, \(phrase)\n"
            let plan = "web1\n    update app\n        ~ conf\n"
            #expect(try cluster.deptool("plan").require(0).text == plan + leftOut)
            #expect(try cluster.deptool("status", "--offline").text.contains("Held:\n    web2: \(phrase.dropFirst(5))\n"))
            let check = try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(check.text.hasPrefix(plan + leftOut) && !check.text.contains("web2: connecting"), "\(check)")
            // A pattern leaves it out, a name is a mistake.
            #expect(try cluster.deptool("plan", "--limit", "web*").require(0).text == plan + leftOut)
            for command in [["plan"], ["deploy", "--no-confirm"], ["check"]] {
                let output = try Program(
                    [Tools.deptool] + command + ["--limit", "web2"], in: cluster.directory, environment: cluster.environment
                ).finish().require(1)
                #expect(
                    output.errors == "Error: web2 is \(phrase)\n`--held` includes it, and `deptool hold --release web2` ends it.\n",
                    "\(output)"
                )
            }
            #expect(try cluster.deptool("plan", "--limit", "web2", "--held").require(0).text == "web2\n    update app\n        ~ conf\n")
            // A plan from before is carried out as a whole or not at all.
            try cluster.deptool("plan", "--held", "--out", "all.plan").require(0)
            #expect(try cluster.deploy("all.plan").require(1).errors.hasPrefix("Error: web2 is held until "))
            try cluster.deploy().require(0)
            #expect(try hosts.map { try $0.read("/var/lib/deptool/apps/app/current/conf") } == ["new\n", "old\n"])
            // If only held hosts differ, every format names them, and none says "nothing to do".
            try cluster.deptool("plan").require(0)
            let rest = try cluster.deptool("plan", "--exit-code").require(2)
            #expect(rest.text == leftOut.dropFirst())
            try cluster.deptool("plan", "--exit-code", "--json").require(2)
            for (format, heading) in [
                ("markdown", "**Only held hosts of cluster <code>prod</code> have changes**\n"),
                ("html", "<h1>Only held hosts of cluster prod have changes</h1>"),
            ] {
                let text = try cluster.deptool("plan", "--exit-code", "--format", format).require(2).text
                #expect(text.contains(heading) && text.contains("    web2, held until") && !text.contains("Nothing to do"), "\(text)")
            }
            try cluster.deploy("--plan-only").require(0)
            try cluster.deptool("plan", "--out", "none.plan").require(0)
            #expect(try cluster.deploy("none.plan").require(0).text == "Nothing to do: no host is in this plan.\n")
            let refusal = "Error: nothing was changed: every host with something to do is held\n"
            for command in [["deploy", "--no-confirm"], ["deploy", "--no-confirm", "--json"], ["check"]] {
                let output = try Program(
                    [Tools.deptool] + command + ["--ssh-config", cluster.sshConfiguration], in: cluster.directory,
                    environment: cluster.environment
                ).finish().require(1)
                #expect(
                    output.errors.hasPrefix(refusal) || output.text.contains(#""message":"\#(refusal.dropFirst(7).dropLast())","#),
                    "\(output)")
            }
            let schema = try Schema()
            let object = try #require(schema.objects(cluster.deptool("plan", "--json").text).first)
            let rows = try #require(object["held"] as? [[String: Any]])
            #expect(rows.count == 1 && rows[0]["host"] as? String == "web2" && rows[0]["author"] as? String == "Ann", "\(rows)")
            #expect(try schema.objects(cluster.deptool("status", "--json", "--offline").text).count == 1)
            #expect(try cluster.deptool("plan", "--format", "markdown").text.contains("    web2, \(phrase)\n"))
            // Repairs and undo leave it out as well.
            for host in hosts { try host.run("echo edited >/var/lib/deptool/apps/app/current/conf") }
            // It may be down.
            try site.kill(hosts[1])
            let repair = try cluster.deploy("--repair").require(0)
            #expect(repair.text.contains(leftOut), "\(repair)")
            #expect(try hosts[0].read("/var/lib/deptool/apps/app/current/conf") == "new\n")
            try site.start(hosts[1])
            let undo = try cluster.deptool("undo", "--no-confirm", "--limit", "*", "--ssh-config", cluster.sshConfiguration).require(1)
            #expect(undo.errors.hasPrefix(refusal) && undo.text.contains("    web2, held until"), "\(undo)")
            #expect(!undo.text.contains("Undoes"))
            #expect(try hosts[1].read("/var/lib/deptool/apps/app/current/conf") == "edited\n")
            try cluster.deploy("--held").require(0)
            #expect(try hosts[1].read("/var/lib/deptool/apps/app/current/conf") == "new\n")
            #expect(try hold("--release", "web*").text == "web2 is no longer held.\n")
            #expect(try hold().text == "No host is held.\n")
            #expect(try cluster.run("git config --file .deptool/config --get deptool.holds || echo none") == "none\n")
        }

        @Test func `a hold placed while the operator reads the plan counts`() throws {
            let host = try site.boot()
            try cluster.remove("web2")
            try cluster.deploy().require(0)
            try cluster.write("web1/app/conf", "newer\n")
            let before = try host.snapshot()
            let asking = try cluster.startAsking()
            try asking.expect("[y/N/d] ")
            _ = try hold("web1", "--for", "1h", "--because", "new disk")
            asking.type(line: "y")
            #expect(try asking.finish().require(1).text.contains("web1 is held"))
            #expect(try host.snapshot() == before)
        }

        @Test func `a hold expires, and the last one of a host counts`() throws {
            _ = try hold("web1,web2", "--for", "1m", "--because", "first")
            _ = try hold("web1", "--for", "52w", "--because", "second")
            #expect(try hold().text.split(separator: "\n").map { $0.suffix(6) } == ["second", ": first"].map { $0.suffix(6) })
            let past = Int(Date().timeIntervalSince1970) - 1
            try cluster.run("git config --file .deptool/config deptool.holds \"$(printf 'web1\\t\(past)\\tAnn\\tover')\"")
            #expect(try hold().text == "No host is held.\n")
            #expect(try cluster.deptool("plan").require(0).text.contains("Left out") == false)
        }

        @Test func `hold works with an invalid config tree, and without one`() throws {
            let host = try site.boot(["web1"])
            try cluster.deploy("--limit", "web1").require(0)
            for mistake in [
                "echo { >prod/web2/app/manifest.json", "ln -s /etc/passwd prod/web1/app/x", "mkdir 'prod/no host'", "rm -r prod",
            ] {
                try cluster.run(mistake)
                #expect(try hold("web1", "--for", "8h", "--because", "broken").text.hasPrefix("web1  held until 20"))
                #expect(try hold("--release", "web1").text == "web1 is no longer held.\n")
            }
            #expect(
                try hold("web9", "--for", "8h", "--because", "x", code: 1).errors
                    == "Error: no host matches 'web9'\nDid you mean 'web1'? The hosts are: web1\n")
            withExtendedLifetime(host) {}
        }

        @Test func `the list of holds is also JSON`() throws {
            let schema = try Schema()
            func holds(_ arguments: String...) throws -> [[String: Any]] {
                let output = try Program(
                    [Tools.deptool, "hold", "--json"] + arguments, in: cluster.directory, environment: cluster.environment
                ).finish().require(0)
                let objects = try schema.objects(output.text)
                #expect(objects.count == 1 && output.errors == "")
                return try #require(objects.first?["holds"] as? [[String: Any]])
            }
            #expect(try holds().isEmpty)
            #expect(try holds("web2", "--for", "8h", "--because", "a \"disk\"").map { $0["host"] as? String } == ["web2"])
            let both = try holds("web1", "--for", "1h", "--because", "x")
            #expect(both.map { $0["host"] as? String } == ["web1", "web2"] && both[1]["reason"] as? String == "a \"disk\"")
            #expect(both[0]["author"] as? String == "Ann" && (both[0]["until"] as? Int ?? 0) > Int(Date().timeIntervalSince1970))
            #expect(try holds("--release", "web2").map { $0["host"] as? String } == ["web1"])
            #expect(try schema.objects(hold("web1", "--json", code: 1).text).first?["type"] as? String == "error")
        }

        @Test func `invalid arguments are errors and hold nothing`() throws {
            for period in ["", "8", "h", "0h", "-1h", "8x", "1.5h", "999999999999999999999h", "366d", "53w", "8 h", "٣h"] {
                _ = try hold("web1", "--for", period, "--because", "x", code: 1)
            }
            for reason in ["", " ", "two\nlines", "a\ttab", "\u{1b}[31mred", String(repeating: "x", count: 501)] {
                _ = try hold("web1", "--for", "1h", "--because", reason, code: 1)
            }
            #expect(
                try hold("wbe1", "--for", "1h", "--because", "x", code: 1).errors.hasPrefix(
                    "Error: no host matches 'wbe1'\nDid you mean 'web1'?"))
            #expect(try hold("--release", "web1", code: 1).errors == "Error: no held host matches 'web1'\nNo host is held.\n")
            for arguments in [["web1"], ["web1", "--for", "1h"], ["--for", "1h"], ["--release"], ["--release", "web1", "--for", "1h"]] {
                _ = try Program([Tools.deptool, "hold"] + arguments, in: cluster.directory, environment: cluster.environment).finish()
                    .require(1)
            }
            #expect(try hold().text == "No host is held.\n")
            // A malformed hold prevents every deploy.
            for text in ["web1", "web1\\tsoon\\tAnn\\tx", "we b\\t1\\tAnn\\tx", "web1\\t1\\tAnn"] {
                try cluster.run("git config --file .deptool/config deptool.holds \"$(printf '\(text)')\"")
                #expect(try cluster.deploy().require(1).errors.hasPrefix("Error: cannot understand which hosts are held: '"))
            }
        }
    }
}
