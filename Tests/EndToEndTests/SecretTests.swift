import Foundation
import Testing

extension EndToEnd {
    /// Sealed files on hosts: open for their units, and nowhere else.
    @Suite final class SecretTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// Seals a value for a host with the program that others use.
        private func seal(_ value: String, for host: Host, _ path: String = "web1/shop/secrets/password.age") throws {
            let key = try host.run("cat /etc/ssh/ssh_host_ed25519_key.pub")
            try cluster.write(path, "")
            try cluster.run("printf %s '\(value)' | age -r '\(key.split(separator: " ").prefix(2).joined(separator: " "))' -o prod/\(path)")
        }

        /// A service that writes its secrets to a file.
        private func service(_ more: String = "", manifest: String = "") throws {
            try cluster.write("web1/shop/manifest.json", #"{"systemd": {"units_enabled": ["shop.service"]}\#(manifest)}"#)
            try cluster.write(
                "web1/shop/systemd/shop.service",
                """
                [Service]
                LoadCredential=password:/run/deptool/secrets/shop/password
                ExecStartPre=/bin/sh -c 'cat ${CREDENTIALS_DIRECTORY}/password > /run/seen'
                ExecStart=/bin/sleep infinity
                \(more)
                [Install]
                WantedBy=multi-user.target

                """)
        }

        private func verify() throws -> String {
            try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text
        }

        /// Where a value is in the host's files outside memory.
        private func traces(_ value: String, on host: Host) throws -> String {
            try host.run(
                "grep -rlF '\(value)' /etc /var /root /home /tmp /opt /srv 2> /dev/null || true; journalctl -q | grep -F '\(value)' || true"
            )
        }

        @Test func `a plan in any format has no byte of private or sealed files`() throws {
            let host = try site.boot()
            func write(_ version: String) throws {
                for app in ["always", "before", "after", "gone"] {
                    let isPrivate = app == "always" || app == "gone" || app == (version == "one" ? "before" : "after")
                    if app == "gone", version == "two" {
                        try cluster.remove("web1/gone")
                        continue
                    }
                    try cluster.write("web1/\(app)/manifest.json", "{\"private\": \(isPrivate)}")
                    try cluster.write("web1/\(app)/conf", "user=me\nmarker-\(app)-\(version)\nport=1\n")
                }
                try seal("marker-sealed-\(version)", for: host)
                try cluster.write("web1/open/conf", "shown-\(version)\n")
            }
            try write("one")
            try cluster.deploy().require(0)
            try write("two")
            let sealed = try Data(contentsOf: URL(filePath: "\(cluster.directory)/prod/web1/shop/secrets/password.age"))
            for format in ["--format html", "--format markdown", "--json", "--format text"] {
                let page = try cluster.run("'\(Tools.deptool)' plan --ssh-config '\(cluster.sshConfiguration)' \(format)")
                #expect(page.contains("shown-two") == (format.hasSuffix("l") || format.hasSuffix("markdown")), "\(page)")
                #expect(!page.contains("marker"), "\(format)\(page)")
                // Nor of the sealed file, in binary or in Base64.
                #expect(!page.contains(sealed.base64EncodedString().prefix(40)) && !page.contains("age-encryption"), "\(page)")
            }
        }

        @Test(arguments: Site.Flavour.debians)
        func `a secret is open for its units, changes, rolls back and is removed with them`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try cluster.addService("other", on: "web1")
            try cluster.deploy().require(0)
            let before = try host.snapshot()

            try service()
            try seal("marker-one", for: host)
            let first = try cluster.deploy().require(0)
            #expect(first.text.contains("        unseal 1 secret\n"), "\(first)")
            #expect(try host.read("/run/seen") == "marker-one")
            let listing = try host.run(
                "stat -c '%a %U:%G %n' /run/deptool /run/deptool/secrets /run/deptool/secrets/shop /run/deptool/secrets/shop/password")
            #expect(
                listing == """
                    711 root:root /run/deptool
                    711 root:root /run/deptool/secrets
                    700 root:root /run/deptool/secrets/shop
                    400 root:root /run/deptool/secrets/shop/password

                    """)
            #expect(try host.run("findmnt -no FSTYPE /run/deptool/secrets") == "ramfs\n")
            #expect(try traces("marker-one", on: host) == "")
            #expect(try verify() == "1 host as deployed.\n")

            // It changes, and the service with it.
            let invocation = try host.invocation(of: "shop")
            try seal("marker-two", for: host)
            try cluster.deploy().require(0)
            #expect(try host.read("/run/seen") == "marker-two")
            #expect(try host.invocation(of: "shop") != invocation)

            // A service that fails has the older value again.
            let (files, open) = (try host.snapshot(), try host.run("cat /run/deptool/secrets/shop/password"))
            try seal("marker-three", for: host)
            try service("ExecStartPre=/bin/false")
            try cluster.deploy().require(3)
            #expect(try host.read("/run/seen") == "marker-two")
            #expect(try host.run("cat /run/deptool/secrets/shop/password") == open)
            expect(try host.snapshot(), is: files)
            #expect(try host.state(of: "shop") == "active")

            // Somebody else's hands.
            try service()
            try seal("marker-two", for: host)
            try cluster.deploy().require(0)
            for (script, message) in [
                ("rm /run/deptool/secrets/shop/password", "secrets/password.age is not unsealed"),
                ("printf x >> /run/deptool/secrets/shop/password", "secrets/password.age is different from its sealed content"),
                ("chmod 444 /run/deptool/secrets/shop/password", "secrets/password.age is different from its sealed content"),
                ("umount /run/deptool/secrets", "secrets/password.age is not unsealed"),
                ("printf x >> $(readlink -f /var/lib/deptool/apps/shop/current)/secrets/password.age", "secrets/password.age was edited"),
                ("rm -r /run/deptool/secrets/shop /var/lib/deptool/apps/shop/current", "current is missing"),
            ] {
                try host.run(script)
                let found = try verify()
                #expect(found.contains(message), "\(script): \(found)")
                try cluster.deploy("--repair").require(0)
                #expect(try verify() == "1 host as deployed.\n", "\(script)")
                #expect(try host.read("/run/seen") == "marker-two")
                #expect(try host.read("/run/deptool/secrets/shop/password") == "marker-two")
            }

            // After a sudden reboot, the secrets are there before the services start, without a retry.
            for round in 0..<(Torture.isWhole ? 20 : 2) {
                if round % 2 == 0 { try site.kill(host) } else { try site.powerOff(host) }
                try site.start(host)
                #expect(try host.state(of: "shop") == "active")
                #expect(try host.run("systemctl show --value -p NRestarts,Result shop") == "success\n0\n")
                #expect(try host.read("/run/seen") == "marker-two")
                #expect(try verify() == "1 host as deployed.\n")
            }

            try seal("marker-four", for: host)
            try cluster.deploy().require(0)
            let undone = try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration)
            #expect(undone.text.contains("unseal"), "\(undone)")
            #expect(try host.read("/run/seen") == "marker-two")

            try cluster.remove("web1/shop")
            let last = try cluster.deploy().require(0)
            #expect(last.text.contains("        remove the unsealed secrets\n"), "\(last)")
            #expect(try host.attempt("ls /run/deptool").code != 0)
            expect(try host.snapshot(), is: before)
        }

        @Test func `the group of a private app reads its secrets, and nobody else`() throws {
            let host = try site.boot()
            try host.run("groupadd shop; useradd -G shop member; useradd stranger")
            try cluster.write("web1/shop/manifest.json", #"{"private": true, "group": "shop"}"#)
            try seal("marker", for: host)
            try cluster.deploy().require(0)
            #expect(try host.run("runuser -u member cat /run/deptool/secrets/shop/password") == "marker")
            #expect(try host.attempt("runuser -u stranger cat /run/deptool/secrets/shop/password").code != 0)
            #expect(try verify() == "1 host as deployed.\n")
            // The group is created again with another number.
            let gid = try host.run("getent group shop | cut -d : -f 3").trimmingCharacters(in: .newlines)
            try host.run(
                "groupdel shop; groupadd -g \(gid) strangers; usermod -aG strangers stranger; groupadd shop; usermod -aG shop member")
            try cluster.write("web1/shop/file", "new")
            try cluster.deploy().require(0)
            #expect(try host.run("runuser -u member cat /run/deptool/secrets/shop/password") == "marker")
            #expect(try host.attempt("runuser -u stranger cat /run/deptool/secrets/shop/password").code != 0)
            #expect(try verify() == "1 host as deployed.\n")
            // Without the group, only root.
            try cluster.write("web1/shop/manifest.json", #"{"private": true}"#)
            try cluster.deploy().require(0)
            #expect(try host.attempt("runuser -u member cat /run/deptool/secrets/shop/password").code != 0)
        }

        @Test func `a host that cannot open a secret is not changed`() throws {
            let host = try site.boot()
            try service()
            try seal("marker-one", for: host)
            try cluster.deploy().require(0)
            let (before, units) = (try host.snapshot(), try host.units())
            try seal("marker-two", for: host)
            for (script, undo, message) in [
                (
                    "mv /etc/ssh/ssh_host_ed25519_key /root/key", "mv /root/key /etc/ssh/ssh_host_ed25519_key",
                    "the host has neither /etc/ssh/ssh_host_ed25519_key nor /etc/deptool/identity; run: deptool secret enroll"
                ),
                (
                    "cp -p /etc/ssh/ssh_host_ed25519_key /root/key; truncate -s 100 /etc/ssh/ssh_host_ed25519_key",
                    "mv /root/key /etc/ssh/ssh_host_ed25519_key",
                    "the host cannot use its /etc/deptool/identity, or if it has none, its /etc/ssh/ssh_host_ed25519_key"
                ),
            ] {
                try host.run("cp -p /etc/ssh/ssh_host_ed25519_key.pub /root/pub")
                try host.run(script)
                let output = try cluster.deploy().require(1)
                #expect(output.text.contains(message), "\(output)")
                #expect(output.text.hasSuffix("Nothing was changed.\n"), "\(output)")
                try host.run(undo + "; mv /root/pub /etc/ssh/ssh_host_ed25519_key.pub")
                expect(try host.snapshot(), is: before)
                expect(try host.units(), is: units)
            }
            try cluster.deploy().require(0)
            #expect(try host.read("/run/seen") == "marker-two")
        }

        @Test func `a host with a new key rolls back to the values it had opened`() throws {
            let host = try site.boot()
            try service()
            try seal("marker-one", for: host)
            try cluster.deploy().require(0)
            func publicKey() throws -> String {
                try host.run("cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub").trimmingCharacters(in: .newlines)
            }
            let old = try publicKey()
            try host.run("cd /etc/ssh; rm ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key")
            let key = try publicKey()
            let known = try String(contentsOfFile: "\(site.lab)/known_hosts", encoding: .utf8)
            try known.replacing(old, with: key).write(toFile: "\(site.lab)/known_hosts", atomically: true, encoding: .utf8)
            // A value sealed for the old key alone cannot be restored from the file.
            try seal("marker-two", for: host)
            try service("ExecStartPre=/bin/false")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("\nThe previous state is back.\n"), "\(output)")
            #expect(try host.read("/run/deptool/secrets/shop/password") == "marker-one")
            #expect(try host.state(of: "shop") == "active" && host.read("/run/seen") == "marker-one")
            // At the latest moment: the service already runs with the new value when the program refuses.
            try service()
            let rejected = try cluster.deploy("--confirm-with", "false").require(3)
            #expect(rejected.text.contains("\nThe previous state is back.\n"), "\(rejected)")
            #expect(try host.read("/run/deptool/secrets/shop/password") == "marker-one")
            #expect(try host.state(of: "shop") == "active" && host.read("/run/seen") == "marker-one")
            // Its content cannot be verified, and a repair gives the reason before anything changes.
            #expect(try verify().contains("secrets/password.age is different from its sealed content"))
            try service()
            try cluster.deploy().require(0)
            #expect(try host.read("/run/seen") == "marker-two")
            #expect(try verify() == "1 host as deployed.\n")
        }

        @Test func `a check sees the new and the unchanged secrets`() throws {
            let host = try site.boot()
            try cluster.write("web1/shop/manifest.json", #"{"checks": [["./check"]]}"#)
            try cluster.write(
                "web1/shop/check",
                "#!/bin/sh\ngrep -q marker-one /run/deptool/secrets/shop/password && grep -q other /run/deptool/secrets/mail/key\n")
            try cluster.run("chmod 755 prod/web1/shop/check")
            try seal("marker-one", for: host)
            try seal("other", for: host, "web1/mail/secrets/key.age")
            try cluster.deploy().require(0)
            try seal("marker-two", for: host)
            try cluster.deploy().require(1)
            #expect(try host.run("cat /run/deptool/secrets/shop/password") == "marker-one")
        }

        @Test func `services and containers have secrets in their environment, or as files`() throws {
            let host = try site.boot("web1", .podman)
            try cluster.write("web1/shop/manifest.json", #"{"systemd": {"units_enabled": ["shop.service", "box.service"]}}"#)
            try cluster.write(
                "web1/shop/systemd/shop.service",
                """
                [Service]
                EnvironmentFile=/run/deptool/secrets/shop/environment
                ExecStart=/bin/sh -c 'printf %%s "$PASSWORD" > /run/seen; exec sleep infinity'
                [Install]
                WantedBy=multi-user.target

                """)
            let busybox = try cluster.run("readlink -f $(command -v busybox)").trimmingCharacters(in: .newlines)
            try host.copy(busybox, to: "/root/busybox")
            try host.run("mkdir -p /root/box/bin; mv /root/busybox /root/box/bin; tar -C /root/box -c . | podman import - localhost/box")
            try cluster.write(
                "web1/shop/quadlets/box.container",
                """
                [Container]
                Image=localhost/box
                Pull=never
                Volume=/run/deptool/secrets/shop:/run/secrets:ro
                Exec=/bin/busybox sleep infinity
                ContainerName=box
                [Install]
                WantedBy=multi-user.target

                """)
            try seal("PASSWORD=marker-one", for: host, "web1/shop/secrets/environment.age")
            try cluster.deploy().require(0)
            #expect(try host.read("/run/seen") == "marker-one")
            let inside = "podman exec box /bin/busybox cat /run/secrets/environment"
            #expect(try host.run(inside) == "PASSWORD=marker-one")
            #expect(try traces("marker-one", on: host) == "")
            // The container restarts, so that it has the new directory entry.
            try seal("PASSWORD=marker-two", for: host, "web1/shop/secrets/environment.age")
            try cluster.deploy().require(0)
            #expect(try host.run(inside) == "PASSWORD=marker-two")
        }

        @Test(arguments: [
            (Site.Flavour.debian12, "operator", true), (.debian13, "root", false), (.readonly, "root", true), (.busybox, "root", false),
        ])
        func `a host without an ed25519 host key gets a key of its own`(flavour: Site.Flavour, user: String, makesIt: Bool) throws {
            let host = try site.boot("web1", flavour)
            try host.run("rm /etc/ssh/ssh_host_ed25519_key*")
            if !makesIt {
                // The key comes from here.
                try host.run("! tool=$(command -v ssh-keygen) || mv $tool /root/")
            }
            try cluster.configure(("User root", "User \(user)"))
            try cluster.write("web1/shop/file", "")
            try cluster.run("ssh-keygen -q -t ed25519 -N '' -C ann -f ann; cp ann.pub prod/recipients")
            func secret(_ arguments: String) throws -> Output {
                try cluster.startScript("\(Tools.deptool) secret \(arguments) --ssh-config \(cluster.sshConfiguration)").finish()
            }
            func enroll(_ expected: String) throws {
                let output = try secret("enroll web1").require(0)
                #expect(output.text.contains(expected), "\(output)")
                #expect(
                    try host.run("stat -c '%a %U %n' /etc/deptool* /etc/deptool/*") == """
                        700 root /etc/deptool
                        600 root /etc/deptool/identity
                        600 root /etc/deptool/identity.pub

                        """)
            }
            func key() throws -> String {
                try host.run("cut -d ' ' -f 2 /etc/deptool/identity.pub").trimmingCharacters(in: .newlines)
            }

            let before = try host.paths()
            try enroll("Wrote prod/web1/host.json.\n")
            #expect(try host.paths().subtracting(before) == ["/etc/deptool", "/etc/deptool/identity", "/etc/deptool/identity.pub"])
            let options = try cluster.read("web1/host.json")
            #expect(options == "{\n  \"identity\": \"ssh-ed25519 \(try key())\"\n}\n")
            try secret("generate web1/shop/password").require(0)
            let value = try secret("show web1/shop/password -i ann").require(0).text
            try cluster.deploy().require(0)
            #expect(try host.read("/run/deptool/secrets/shop/password") == value)
            try enroll("web1 opens secrets with the key in prod/web1/host.json.\n")
            #expect(try cluster.read("web1/host.json") == options)
            try cluster.deploy().require(0)
            if flavour.hasSystemd {
                try site.kill(host)
                try site.start(host)
                #expect(try host.read("/run/deptool/secrets/shop/password") == value)
            }
            #expect(try verify() == "1 host as deployed.\n")

            // Another operator has the key from the config tree alone.
            try cluster.run("mv .local hidden; \(Tools.deptool) init --adopt")
            let refused = try secret("generate web1/shop/other")
            #expect(
                refused.code == 1
                    && refused.errors.contains("you have not confirmed that web1 opens secrets with the key in prod/web1/host.json")
            )
            #expect(try secret("list").text.contains("you have not confirmed the key in its host.json: deptool secret enroll web1"))
            try enroll("web1 opens secrets with the key in prod/web1/host.json.\n")
            try secret("generate web1/shop/other").require(0)
            try cluster.run("rm prod/web1/shop/secrets/other.age")

            // A copy of the host could open its secrets.
            try cluster.write("web2/host.json", options)
            #expect(try secret("enroll web1").errors.contains("web1 has the key of web2"))
            try cluster.remove("web2")

            // The host is reinstalled, and its settings have more than the key.
            try cluster.write("web1/host.json", options.replacing("\n}", with: ",\n  \"hostname\": \"web1\"\n}"))
            try host.run("rm -r /etc/deptool")
            try host.run("ln -s nowhere /etc/ssh/ssh_host_ed25519_key")
            try enroll(", no longer with SHA256:")
            #expect(try cluster.read("web1/host.json") == "{\n  \"identity\": \"ssh-ed25519 \(try key())\",\n  \"hostname\": \"web1\"\n}\n")
            #expect(try secret("list").text.contains("not sealed for web1"))
            try secret("rekey web1 -i ann").require(0)
            try cluster.deploy().require(0)
            #expect(try host.read("/run/deptool/secrets/shop/password") == value)
            #expect(try verify() == "1 host as deployed.\n")

            // A signal while a key is made here leaves no key in memory.
            guard !makesIt else { return }
            try host.run("rm -r /etc/deptool")
            try cluster.run(
                #"mkdir slow; printf '#!/bin/sh\nPATH=/usr/bin:/bin ssh-keygen "$@"; echo made >&2; while ! test -e go; do sleep 0.1; done\n' >slow/ssh-keygen; chmod +x slow/*"#
            )
            cluster.environment["PATH", default: ""] = "\(cluster.directory)/slow:\(cluster.environment["PATH"] ?? "")"
            let left = try cluster.start("secret", "enroll", "web1", "--ssh-config", cluster.sshConfiguration, on: .terminal)
            try left.expect("made")
            let keys = "cat /dev/shm/deptool-secret-*-\(left.pid)-*/identity 2>/dev/null | grep -c BEGIN || true"
            #expect(try cluster.run(keys) == "1\n")
            left.signal(SIGTERM)
            try cluster.run("touch go")
            #expect(try left.finish().code == 130)
            #expect(try host.run("test -e /etc/deptool || echo none") == "none\n")
            #expect(try cluster.run(keys) == "0\n")
        }

        @Test(.enabled(if: Site.hasDisks, "there are no loop devices"))
        func `no disk of a host or an operator ever had a secret in plain text`() throws {
            let site = try Site(onDisk: true)
            let cluster = try Cluster(site)
            let host = try site.boot()
            try cluster.addOperator()
            var output = ""
            func run(_ script: String) throws { output += "\(try cluster.startScript(script + " 2>&1").finish())" }
            func deptool(_ arguments: String) throws { try run("\(Tools.deptool) \(arguments) --ssh-config \(cluster.sshConfiguration)") }
            // Random, so that nothing else is like them, and never in a script: the operator's shell has them in memory only.
            var values: [String] = []
            func set() throws {
                let value = "marker\(UInt64.random(in: 0...(.max)))"
                values.append(value)
                try run("printf %s \(value) | deptool secret set web1/shop/password")
            }

            try cluster.write("web1/shop/manifest.json", #"{"systemd": {"units_enabled": ["shop.service"]}, "checks": [["./check"]]}"#)
            try cluster.write("web1/shop/check", "#!/bin/sh\n! grep -q nothing /run/deptool/secrets/shop/password\n")
            let unit = """
                [Service]
                EnvironmentFile=-/run/deptool/secrets/shop/password
                LoadCredential=password:/run/deptool/secrets/shop/password
                ExecStart=/bin/sleep infinity
                [Install]
                WantedBy=multi-user.target

                """
            try cluster.write("web1/shop/systemd/shop.service", unit)
            try cluster.run("chmod 755 prod/web1/shop/check")
            try set()
            try deptool("plan -o plan")
            try deptool("deploy --no-confirm")
            #expect(try host.read("/run/credentials/shop.service/password") == values[0])
            // A rotation by an editor, a rollback, an undo.
            values.append("edited\(UInt64.random(in: 0...(.max)))")
            try run("EDITOR='f() { printf %s \(values[1]) >\"$1\"; }; f' deptool secret edit web1/shop/password")
            try deptool("deploy --no-confirm")
            #expect(try host.read("/run/credentials/shop.service/password") == values[1])
            try set()
            try cluster.write("web1/shop/systemd/shop.service", unit.replacing("/bin/sleep", with: "/bin/false"))
            try deptool("deploy --no-confirm")
            #expect(try host.read("/run/credentials/shop.service/password") == values[1])
            try cluster.write("web1/shop/systemd/shop.service", unit)
            try deptool("deploy --no-confirm")
            try deptool("undo --no-confirm")
            // The agent crashes, and the plug is pulled, wherever it is by then.
            for _ in 0..<(Torture.isWhole ? 5 : 1) {
                try set()
                let deploy = try cluster.startDeploy()
                _ = try host.attempt("for i in $(seq 200); do pkill -SEGV -f ^/var/lib/deptool/bin/ && break; sleep 0.01; done")
                output += "\(try deploy.finish())"
                try deptool("deploy --no-confirm")
                try set()
                let other = try cluster.startDeploy()
                usleep(.random(in: 50_000...400_000))
                try site.kill(host)
                other.signal(SIGKILL)
                output += "\(try other.finish())"
                try site.start(host)
                try deptool("deploy --no-confirm")
                try deptool("verify --json")
            }
            #expect(try host.read("/run/credentials/shop.service/password") == values.last)
            try site.powerOff(host)

            for value in values { #expect(!output.contains(value)) }
            // Content that was on it for a moment is found.
            try cluster.run("printf 'canary'-%s on-disk >canary; sync; rm canary")
            #expect(try site.traces(values + ["canary-on-disk"]) == ["canary-on-disk"])
        }

        @Test func `hosts without systemd have secrets, too`() throws {
            let host = try site.boot("web1", .busybox)
            try seal("marker", for: host)
            try cluster.deploy().require(0)
            #expect(try host.read("/run/deptool/secrets/shop/password") == "marker")
            #expect(try verify() == "1 host as deployed.\n")
            try cluster.remove("web1/shop")
            try cluster.write("web1/app/file", "1")
            try cluster.deploy().require(0)
            #expect(try host.attempt("ls /run/deptool").code != 0)
        }
    }
}
