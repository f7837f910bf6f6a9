import Foundation
import Testing

extension EndToEnd {
    /// Hosts that are not there, or not who they should be.
    @Suite final class HostIdentityTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        /// The host's Ed25519 key, as ssh-keygen(1) shows it.
        private func fingerprint(of host: Host) throws -> String {
            String(try host.run("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split(separator: " ")[1])
        }

        /// The part of the output behind the plan and the lines of the hosts.
        private func summary(_ output: Output) -> String {
            let parts = output.stable.split(separator: "\n\n", omittingEmptySubsequences: false)
            return parts.drop { !$0.hasPrefix("  web") }.dropFirst().joined(separator: "\n\n")
        }

        @Test func `a host with a new machine id at each boot is recognized`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            // As systemd does it where /etc cannot be written.
            func boot(_ id: String) throws {
                try host.run(
                    "! mountpoint -q /etc/machine-id || umount /etc/machine-id; echo \(id) >/run/machine-id; mount --bind /run/machine-id /etc/machine-id"
                )
            }
            try boot("0123456789abcdef0123456789abcdef")
            try cluster.deploy().require(0)
            try boot("fedcba9876543210fedcba9876543210")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).require(0).text == "1 host as deployed.\n")
            try cluster.addService("another", on: "web1")
            try cluster.deploy().require(0)
        }

        @Test func `a host that is down is named, and no host changes`() throws {
            let (web1, web2) = try site.boot("web1", "web2")
            for host in ["web1", "web2"] { try cluster.addService("app", on: host) }
            try cluster.configure(("ControlMaster no", "ConnectTimeout 1"))
            try site.kill(web2)

            let output = try cluster.deploy()

            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web2: web2 did not answer in time while Deptool was connecting. Check your network, and that web2 is up.

                    Nothing was changed. `--skip-unreachable` goes on without such hosts.

                    """)
            #expect(output.text.contains("\n  web1: not changed, since another host is not ready\n"))
            #expect(output.text.contains("\n  web2: no answer while connecting\n"))
            // It was not even locked.
            #expect(try web1.attempt("test -e /var/lib/deptool/apps").code == 1)
            #expect(try web1.links() == "")
            #expect(try web1.isLocked == false)
            #expect(try cluster.references() == "")

            // At a terminal, it is named before the operator answers.
            cluster.environment["NO_COLOR"] = "1"
            let asking = try cluster.startAsking()
            try asking.expect("[y/N/d] ")
            try asking.expect("\n  web2: no answer while connecting\nApply to 2 hosts in cluster 'prod'? [y/N/d] ")
            // And asked about before any other is locked.
            let question = "\nDeploy without web2? [y/N] "
            asking.type(line: "y")
            try asking.expect(question)
            #expect(asking.text.contains(#/\n\n  web2: (no answer while connecting|no route to host)\nDeploy without/#))
            // The other hosts are not locked during the question.
            #expect(try web1.isLocked == false)
            asking.type(line: "n")
            #expect(try asking.finish().code == 1)
            #expect(try web1.attempt("test -e /var/lib/deptool/apps").code == 1)
            #expect(try web1.isLocked == false)

            let leaving = try cluster.startAsking()
            try leaving.expect("[y/N/d] ")
            leaving.type(line: "y")
            try leaving.expect(question)
            leaving.type("\u{3}")
            #expect(try leaving.finish().code == 130)
            try web1.wait(for: "[ ! -e /var/lib/deptool/store/lock ] || flock --nonblock /var/lib/deptool/store/lock true")
            #expect(try web1.links() == "")

            let goingOn = try cluster.startAsking()
            try goingOn.expect("[y/N/d] ")
            goingOn.type(line: "y")
            try goingOn.expect(question)
            goingOn.type(line: "y")
            let done = try goingOn.finish()
            #expect(done.code == 1)
            #expect(done.stable.hasSuffix("\n\nDeployed to 1 host, 1 host not changed, in N s.\n"), "\(done)")
            #expect(try web1.state(of: "app") == "active")

            // On request, without a question.
            try cluster.write("web1/app/more", "")
            let rest = try cluster.deploy("--skip-unreachable")
            #expect(rest.code == 1)
            #expect(rest.stable.hasSuffix("\n\nDeployed to 1 host, 1 host not changed, in N s.\n"), "\(rest)")
            #expect(try web1.state(of: "app") == "active")
            #expect(try cluster.references().split(separator: "\n").count == 1)
            try site.start(web2)
            try cluster.deploy().require(0)
            #expect(try web2.state(of: "app") == "active")
        }

        @Test func `a host that refuses connections is distinguished from one that is down`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            try cluster.configure(("Port 22", "Port 23"))
            let output = try cluster.deploy()
            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web1: \(host.address):23 refuses connections. Either sshd does not run on web1, or it listens on \
                    another port: give web1 a Port in ~/.ssh/config.

                    Nothing was changed.

                    """)
        }

        @Test func `a login that leads to another host changes nothing`() throws {
            let host = try site.boot()
            try host.write("/etc/hostname", "web9\n")
            let before = try host.links()
            try cluster.addService("app", on: "web1")

            let output = try cluster.deploy()

            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web1: The login leads to a host whose /etc/hostname says 'web9', not 'web1'.
                    If it is the right host, say so in its host.json: {"hostname": "web9"}

                    Nothing was changed.

                    """)
            #expect(try host.links() == before)

            try cluster.write("web1/host.json", #"{"hostname": "web9"}"#)
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
        }

        @Test func `an unknown host key is refused without a terminal`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            try cluster.configure(("\(site.lab)/known_hosts", "\(cluster.directory)/known_hosts"), ("Checking yes", "Checking ask"))

            let output = try cluster.deploy()

            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web1: You have not accepted the host key of \(host.address) yet.
                    Its key is the ssh-ed25519 key \(try fingerprint(of: host)). If that is right, run `ssh web1` once and \
                    accept it.

                    Nothing was changed.

                    """)
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)
            #expect(!FileManager.default.fileExists(atPath: "\(cluster.directory)/known_hosts"))
        }

        @Test func `an unknown host key is asked about, and remembered`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            try cluster.configure(("\(site.lab)/known_hosts", "\(cluster.directory)/known_hosts"), ("Checking yes", "Checking ask"))
            let question = """

                The host '\(host.address)' has a key that is not known yet:
                    ssh-ed25519 \(try fingerprint(of: host))
                Is it the right one? [y/N] \

                """.dropLast()

            let refusing = try cluster.startAsking()
            try refusing.expect("[y/N/d] ")
            refusing.type(line: "y")
            try refusing.expect(String(question))
            refusing.type(line: "n")
            let refused = try refusing.finish()
            #expect(refused.code == 1)
            #expect(refused.text.contains("You did not accept the ssh-ed25519 key \(try fingerprint(of: host)) of web1."))
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)
            #expect(!FileManager.default.fileExists(atPath: "\(cluster.directory)/known_hosts"))

            // Ctrl-C is an answer, too.
            let leaving = try cluster.startAsking()
            try leaving.expect("[y/N/d] ")
            leaving.type(line: "y")
            try leaving.expect(String(question))
            leaving.type("\u{3}")
            #expect(try leaving.finish().code == 130)
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)

            let accepting = try cluster.startAsking()
            try accepting.expect("[y/N/d] ")
            accepting.type(line: "y")
            try accepting.expect(String(question))
            accepting.type(line: "y")
            try accepting.finish().require(0)
            let known = try String(contentsOfFile: "\(cluster.directory)/known_hosts", encoding: .utf8)
            #expect(known == "\(host.address) " + (try host.run("cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")))

            // It is in known_hosts now.
            try cluster.write("web1/app/more", "")
            try cluster.deploy().require(0)
        }

        @Test func `a changed host key is refused, loudly`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            let path = "\(cluster.directory)/known_hosts"
            try cluster.configure(("\(site.lab)/known_hosts", path), ("Checking yes", "Checking ask"))
            try Program(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "other"], in: cluster.directory,
                environment: cluster.environment
            ).finish().require(0)
            let other = try String(contentsOfFile: "\(cluster.directory)/other.pub", encoding: .utf8)
            try cluster.write(outside: "known_hosts", "# hosts\n\(host.address) \(other)")

            let output = try cluster.deploy()

            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web1: \(host.address) shows another ssh-ed25519 key than the one in \(path), line 2. Somebody may be \
                    listening in, or web1 was reinstalled.
                    It shows \(try fingerprint(of: host)). If you know that this is right, run
                        ssh-keygen -f \(path) -R '\(host.address)'

                    Nothing was changed.

                    """)
            #expect(output.text.contains("\n  web1: host key changed\n"))
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)
        }

        @Test func `a user with sudo can deploy`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            try cluster.configure(("User root", "User operator"))
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
            let owners = try host.run("cd /var/lib/deptool && stat -c '%U %a' . store bin/*")
            #expect(owners == "root 755\nroot 700\nroot 755\n")

            try cluster.write("web1/app/more", "")
            try cluster.deploy().require(0)
            #expect(try host.agents() == [])
        }

        @Test func `the error for a user without sudo names the remedy`() throws {
            let host = try site.boot()
            try host.run("rm /etc/sudoers.d/operator")
            try cluster.addService("app", on: "web1")
            try cluster.configure(("User root", "User operator"))
            let output = try cluster.deploy()
            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web1: The login is not root's, and sudo needs a password. Deptool could not ask you for it.
                    Deploy from a terminal, log in as root, or allow the user to run `sh` without: `NOPASSWD:` in sudoers.

                    Nothing was changed.

                    """)
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)
        }

        @Test func `a login that prints and has another shell than sh can deploy`() throws {
            let host = try site.boot()
            try host.run("echo 'echo Welcome to web1; echo DEPTOOL-NOT' >>/root/.bashrc; chsh -s /bin/dash operator")
            try host.run("sed -i '1i echo Welcome; echo to web1 >&2' /root/.bashrc")
            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            try cluster.configure(("User root", "User operator"))
            try cluster.write("web1/app/more", "")
            try cluster.deploy().require(0)
        }

        @Test func `a key that the host rejects is named`() throws {
            let host = try site.boot()
            try host.run("rm /root/.ssh/authorized_keys")
            try cluster.addService("app", on: "web1")
            let output = try cluster.deploy()
            #expect(output.code == 1)
            expect(
                summary(output),
                is: """
                    web1: web1 does not let root in.
                        \(site.lab)/key (ssh-ed25519): refused
                    The server offers: publickey, password.

                    Nothing was changed.

                    """)
        }
    }
}
