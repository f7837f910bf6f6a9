import Foundation
import Testing

extension EndToEnd {
    /// Files that stay where links and copies go.
    @Suite final class LeftFilesTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test func `a removed app leaves files in the place of its links and copies, and Deptool forgets them`() throws {
            let host = try site.boot()
            try host.run("mkdir -p /etc/nginx/old && echo conf >/etc/nginx/nginx.conf && rmdir /etc/nginx/old")
            try cluster.write("web1/nginx/nginx.conf", "conf\n")
            try cluster.write("web1/nginx/run", "#!/bin/sh\n")
            try cluster.run("chmod +x prod/web1/nginx/run")
            try cluster.write("web1/nginx/sites/deep/blog", "blog\n")
            try cluster.write("web1/nginx/key", "key\n")
            try cluster.write("web1/other/file", "stays\n")
            try cluster.addService("nginx", on: "web1")
            try cluster.write(
                "web1/nginx/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["nginx.service"]},
                 "symlinks": {"/etc/nginx/nginx.conf": "nginx.conf", "/etc/nginx/sites": "sites", "/opt/a \"b\"": "run"},
                 "copies": {"/etc/nginx/key": {"source": "key", "mode": "0600", "group": "daemon"}}}
                """#)
            try cluster.deploy().require(0)
            try cluster.remove("web1/nginx")
            let plain = try cluster.deptool("plan").require(0).text
            for line in [
                "unlink /etc/nginx/nginx.conf (nothing takes its place)", "unlink /etc/nginx/sites (nothing takes its place)",
                "remove /etc/nginx/key (nothing takes its place)", "remove unit nginx.service\n",
            ] {
                #expect(plain.contains("        \(line)"), "\(plain)")
            }
            let plan = try cluster.deploy("--leave-files", "--plan-only").require(0).text
            let leaving = """
                    leave files
                        copy files/etc/nginx/key to /etc/nginx/key (0600, root:daemon)
                        copy files/etc/nginx/nginx.conf to /etc/nginx/nginx.conf
                        copy files/etc/nginx/sites/deep/blog to /etc/nginx/sites/deep/blog
                        copy files/opt/a "b" to /opt/a "b" (0755, root:root)

                """
            #expect(plan.contains(leaving) && !plan.contains("nothing takes") && plan.contains("remove nginx\n"), "\(plan)")
            #expect(try cluster.deptool("plan", "--leave-files").require(0).text == plan)
            for more in ["--out x.plan", "all.plan"] {
                try cluster.run(
                    "'\(Tools.deptool)' plan --out all.plan >/dev/null; ! '\(Tools.deptool)' plan --leave-files \(more) 2>/dev/null; ! test -e x.plan"
                )
            }
            let deploy = try cluster.deploy("--leave-files").require(0)
            #expect(deploy.text.contains("web1\n    forget the files left there\n"), "\(deploy)")
            let listing = try host.run("cd / && find etc/nginx opt -type f -printf '%p %m %u:%g\\n' | sort; find etc/nginx opt -type l")
            #expect(
                listing == """
                    etc/nginx/key 600 root:daemon
                    etc/nginx/nginx.conf 644 root:root
                    etc/nginx/sites/deep/blog 644 root:root
                    opt/a "b" 755 root:root

                    """)
            #expect(try host.read("/etc/nginx/nginx.conf") == "conf\n")
            #expect(try host.run("ls /var/lib/deptool/apps") == "other\n")
            #expect(try host.run("systemctl is-active nginx.service || true") == "inactive\n")
            // They are the host's own now.
            #expect(try cluster.deptool("plan").require(0).text.hasPrefix("Nothing to do"))
            try host.run("echo edited >>/etc/nginx/nginx.conf")
            try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).require(0)
            try host.run("echo conf >/etc/nginx/nginx.conf")
            // An undo passes over the forgetting, and takes them over again. A second one leaves them again, and so on.
            for _ in 0..<2 {
                try host.run("mv /etc/nginx/sites /root")
                try undo()
                #expect(try host.run("find /etc/nginx /opt -type l | sort") == "/etc/nginx/nginx.conf\n/etc/nginx/sites\n/opt/a \"b\"\n")
                #expect(try host.run("systemctl is-active nginx.service || true") == "active\n")
                try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).require(0)
                let again = try undo()
                #expect(again.text.contains(leaving) && again.text.contains("web1\n    forget the files left there\n"), "\(again)")
                #expect(
                    try host.run("cd / && find etc/nginx opt -type f -printf '%p %m %u:%g\\n' | sort; find etc/nginx opt -type l")
                        == listing)
                #expect(try host.run("ls /var/lib/deptool/apps") == "other\n")
                try host.run("rm -r /root/sites")
            }
            #expect(try cluster.deptool("plan").require(0).text.hasPrefix("Nothing to do"))
        }

        @discardableResult
        private func undo(_ arguments: String..., code: Int32 = 0) throws -> Output {
            try Program(
                [Tools.deptool, "undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment
            ).finish().require(code)
        }

        @Test func `a removed host keeps its files`() throws {
            let host = try site.boot()
            try cluster.write("web1/app/conf", "conf\n")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.conf": "conf"}}"#)
            try cluster.write("web1/host.json", #"{"hostname": "web1.example.com"}"#)
            try host.run("echo web1.example.com >/etc/hostname; hostname web1.example.com")
            try cluster.deploy().require(0)
            try cluster.remove("web1")
            try cluster.write("web2/app/conf", "conf\n")
            try cluster.deploy("--remove-host", "web1", "--leave-files").require(0)
            #expect(try host.run("readlink /etc/app.conf || cat /etc/app.conf") == "conf\n")
            #expect(try !cluster.deptool("status", "--offline").text.contains("web1"))
            #expect(try host.run("ls /var/lib/deptool/apps 2>/dev/null || true") == "")
            // It comes back, and goes again with its files.
            let back = try undo()
            #expect(back.text.contains("\n\nweb1 (new host)\n    add app\n"), "\(back)")
            #expect(try host.run("readlink /etc/app.conf") == "/var/lib/deptool/apps/app/current/conf\n")
            try undo("--limit", "web1")
            #expect(try host.run("readlink /etc/app.conf || cat /etc/app.conf") == "conf\n")
            #expect(try host.run("ls /var/lib/deptool/apps 2>/dev/null || true") == "")
        }
    }
}
