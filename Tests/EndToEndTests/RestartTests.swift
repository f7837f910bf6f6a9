import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Restarts without a change.
    @Suite final class RestartTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test func `units restart with a plan, and nothing else changes`() throws {
            let host = try site.boot()
            for app in ["blog", "nginx"] {
                try cluster.write("web1/\(app)/conf", "one\n")
                try cluster.addService(app, on: "web1")
            }
            try cluster.write("web1/nginx/systemd/job.service", "[Service]\nType=oneshot\nExecStart=/bin/touch /run/job-ran\n")
            try cluster.deploy().require(0)
            try cluster.write("web1/nginx/conf", "two\n")
            let status = try cluster.deptool("status", "--offline").text
            func invocation(_ unit: String) throws -> String { try host.run("systemctl show -P InvocationID \(unit).service") }
            let before = (nginx: try invocation("nginx"), blog: try invocation("blog"))
            let files = try host.run("find /var/lib/deptool/apps /etc/systemd -printf '%p %i %l\\n' | sort")
            let plan = "web1\n    restart nginx\n        restart unit nginx.service (asked for)\n"
            #expect(try cluster.deploy("--restart", "nginx.service", "--plan-only").require(0).text == plan)
            let deploy = try cluster.deploy("--restart", "nginx").require(0)
            #expect(deploy.text.hasPrefix(plan) && deploy.text.contains("  web1: done\n"), "\(deploy)")
            #expect(try invocation("nginx") != before.nginx)
            #expect(try invocation("blog") == before.blog)
            #expect(try host.run("find /var/lib/deptool/apps /etc/systemd -printf '%p %i %l\\n' | sort") == files)
            #expect(try cluster.deptool("status", "--offline").text.contains("Undeployed changes:\n    web1: ~ nginx\n"), "\(status)")
            #expect(try cluster.deptool("log").text.contains("restart prod\n    web1  restart nginx: done\n"))
            // A unit that nothing enables stays down.
            try cluster.deploy("--restart", "job.service").require(0)
            _ = try host.run("test ! -e /run/job-ran")
            // One that is down comes up.
            try host.run("systemctl stop nginx.service")
            try cluster.deploy("--restart", "nginx.service").require(0)
            #expect(try host.run("systemctl is-active nginx.service") == "active\n")
            let schema = try Schema()
            let json = try cluster.deploy("--restart", "nginx", "--json").require(0)
            let objects = try schema.objects(json.text)
            let steps = ((objects.first?["hosts"] as? [[String: Any]])?.first?["steps"] as? [[String: Any]]) ?? []
            #expect(steps.first?["step"] as? String == "restart" && steps.first?["because"] is NSNull, "\(json)")
            #expect(try !schema.objects(cluster.deptool("log", "--json").text).isEmpty)
            try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).require(0)
        }

        @Test func `checks run before a restart, also of a unit that is not enabled, and held hosts do not restart`() throws {
            let host = try site.boot()
            try cluster.write("web1/app/systemd/job.service", "[Service]\nExecStart=/bin/sleep infinity\n")
            try cluster.write("web1/app/check", "#!/bin/sh\ntest ! -e /etc/refuse\n")
            try cluster.write("web1/app/manifest.json", #"{"checks": [["./check"]]}"#)
            try cluster.run("chmod 755 prod/web1/app/check")
            try cluster.deploy().require(0)
            try host.run("systemctl start job.service; touch /etc/refuse")
            let process = try host.run("systemctl show -P MainPID job.service")
            let refused = try cluster.deploy("--restart", "job.service").require(1)
            #expect(refused.text.contains("        check ./check before anything changes\n"), "\(refused)")
            #expect(try host.run("systemctl show -P MainPID job.service") == process)
            try host.run("rm /etc/refuse")
            try Program(
                [Tools.deptool, "hold", "web1", "--for", "1h", "--because", "x"], in: cluster.directory, environment: cluster.environment
            ).finish().require(0)
            let held = try cluster.deploy("--restart", "job.service").require(1)
            #expect(
                held.text.contains("    web1, held until") && held.errors.contains("every host with something to do is held"), "\(held)")
            try cluster.deploy("--restart", "job.service", "--held").require(0)
            #expect(try host.run("systemctl show -P MainPID job.service") != process)
        }

        @Test func `a unit that does not start again is rolled back, with the reason`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1", before: "/bin/test ! -e /run/broken")
            try cluster.deploy().require(0)
            try host.run("touch /run/broken")
            let failed = try cluster.deploy("--restart", "app")
            #expect(failed.code == 3 || failed.code == 4, "\(failed)")
            #expect(failed.text.contains("app.service"), "\(failed)")
            try host.run("rm /run/broken")
            try cluster.deploy("--restart", "app").require(0)
            #expect(try host.run("systemctl is-active app.service") == "active\n")
        }

        @Test func `sshd does not restart with invalid settings`() throws {
            let host = try site.boot()
            try cluster.write("web1/login/manifest.json", #"{"systemd": {"units_enabled": ["ssh.service"]}}"#)
            try cluster.deploy().require(0)
            let process = try host.run("systemctl show --value -p MainPID ssh")
            try host.run("echo 'Nonsense yes' >>/etc/ssh/sshd_config")
            let output = try cluster.deploy("--restart", "ssh.service").require(1)
            #expect(output.text.contains("        check /usr/sbin/sshd -t before anything changes\n"), "\(output)")
            #expect(output.text.contains("Nonsense") && output.text.hasSuffix("\n\nNothing was changed.\n"), "\(output)")
            #expect(try host.run("systemctl show --value -p MainPID ssh") == process)
            try host.run("sed -i /Nonsense/d /etc/ssh/sshd_config")
            try cluster.deploy("--restart", "ssh.service").require(0)
            #expect(try host.run("systemctl show --value -p MainPID ssh") != process)
        }

        @Test func `unknown names list the known ones, and change nothing`() throws {
            _ = try site.boot()
            try cluster.addService("app", on: "web1")
            let none = try cluster.deploy("--restart", "app").require(1)
            #expect(
                none.errors
                    == "Error: there is no unit 'app' of an app, and no app of this name with units\nNothing that is deployed there has units.\n",
                "\(none)")
            try cluster.deploy().require(0)
            let typo = try cluster.deploy("--restart", "ap.service").require(1)
            #expect(
                typo.errors
                    == "Error: there is no unit 'ap.service' of an app, and no app of this name with units\nDid you mean 'app.service'? You can restart: app, app.service\n",
                "\(typo)")
            let limited = try cluster.deploy("--restart", "app", "--limit", "web1/app").require(1)
            #expect(limited.errors.hasPrefix("Error: `--restart` takes apps, `--limit` then takes hosts\n"), "\(limited)")
            try cluster.deptool("plan", "--out", "some.plan").require(0)
            let file = try cluster.deploy("some.plan", "--restart", "app").require(1)
            #expect(file.errors == "Error: `--restart` cannot be used with a plan file\n", "\(file)")
        }
    }
}
