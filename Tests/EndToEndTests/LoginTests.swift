import Foundation
import Testing

extension EndToEnd {
    /// Logins that libssh2 cannot do alone, and questions that come up.
    @Suite final class LoginTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            cluster.environment["NO_COLOR"] = "1"
        }

        @Test func `a large file arrives with every kind of cipher and MAC, also if keys are exchanged on the way`() throws {
            let host = try site.boot()
            let macs = ["hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha1"]
            var algorithms = [
                "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes192-ctr", "aes256-ctr",
            ]
            .map { ($0, macs[0]) }
            for cipher in ["aes128-ctr", "aes128-cbc", "3des-cbc"] { algorithms += macs.map { (cipher, $0) } }
            try host.write("/etc/ssh/sshd_config.d/lab.conf", "Ciphers +aes128-cbc,3des-cbc\nMACs +hmac-sha1\nRekeyLimit 4M\n")
            try host.run("systemctl restart ssh")
            try cluster.write("web1/app/large", "")
            // Before 1.11, it has none of the newer algorithms.
            let isOld = try cluster.run(Tools.deptool, "--version").contains(#/libssh2 1\.([0-9]|10)\./#)
            for (cipher, mac) in algorithms {
                try cluster.configure(("Host web1\n", "Host web1\n  Ciphers \(cipher)\n  MACs \(mac)\n"))
                // Not a whole number of packets.
                let sum = try cluster.run("sh", "-c", "head -c 21234567 /dev/urandom >prod/web1/app/large; sha256sum <prod/web1/app/large")
                let output = try cluster.deploy("--verbose").require(0)
                #expect(try host.run("sha256sum </var/lib/deptool/apps/app/current/large") == sum, "\(cipher), \(mac): \(output)")
                #expect(output.text.contains("over the system's ssh") == (isOld && (cipher + mac).contains("@")), "\(output)")
            }
        }

        @Test func `ssh is chosen where libssh2 cannot`() throws {
            let host = try site.boot()
            try cluster.addService("app", on: "web1")
            var version = 0
            /// Deploys something new, and returns why ssh was used.
            func reason(_ arguments: String...) throws -> String {
                version += 1
                try cluster.write("web1/app/version", "\(version)")
                let output = try cluster.deploy("--verbose").require(0)
                return output.text.split(separator: "\n").filter { $0.contains("system's ssh: ") }.joined(separator: "\n")
            }
            #expect(try reason() == "")

            // An RSA key in a file; libssh2 before 1.11 signs with SHA-1.
            try cluster.run("ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", "id_rsa")
            try host.run("cat >>/root/.ssh/authorized_keys <<'E'\n\(cluster.run("cat", "id_rsa.pub"))E")
            try cluster.configure(("\(site.lab)/key", "\(cluster.directory)/id_rsa"))
            #expect(["", "  web1: over the system's ssh: libssh2 could not: login failed"].contains(try reason()))

            // A certificate.
            try cluster.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ca")
            try cluster.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id")
            try cluster.run("ssh-keygen", "-q", "-s", "ca", "-I", "test", "-n", "root", "id.pub")
            try host.run("echo 'cert-authority \(cluster.run("cat", "ca.pub"))' >>/root/.ssh/authorized_keys")
            try cluster.configure(("\(site.lab)/key", "\(cluster.directory)/id"))
            #expect(
                try reason() == "  web1: over the system's ssh: only it can log in with the certificate \(cluster.directory)/id-cert.pub")

            // An algorithm that libssh2 does not have.
            try host.write("/etc/ssh/sshd_config.d/modern.conf", "KexAlgorithms sntrup761x25519-sha512@openssh.com\n")
            try host.run("systemctl restart ssh")
            try cluster.configure()
            #expect(try reason() == "  web1: over the system's ssh: libssh2 could not: no common algorithm")

            // A connection that ssh has already.
            let socket = "\(cluster.directory)/master"
            try cluster.configure(("ControlMaster no", "ControlPath \(socket)"))
            let master = try Program(
                ["ssh", "-F", cluster.sshConfiguration, "-M", "-N", "web1"], environment: cluster.environment)
            try cluster.run("sh", "-c", "until ssh -F \(cluster.sshConfiguration) -O check web1 2>&-; do sleep 0.05; done")
            #expect(try reason() == "  web1: over the system's ssh: it has a connection already")
            master.signal(SIGTERM)

            // `--transport libssh2` uses libssh2, with its errors.
            cluster.transport = "libssh2"
            let refused = try cluster.deploy("--guard", "always")
            try cluster.write("web1/app/version", "last")
            let output = try cluster.deploy()
            #expect(refused.code == 0)
            #expect(output.code == 1)
            #expect(output.text.contains("  web1: no common algorithm\n"), "\(output)")
        }

        @Test func `a passphrase is asked for once for all hosts, over either transport`() throws {
            let (web1, web2) = try site.boot("web1", "web2")
            try cluster.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "opensesame", "-f", "id")
            for host in [web1, web2] {
                try host.run("echo '\(cluster.run("cat", "id.pub"))' >>/root/.ssh/authorized_keys")
            }
            try cluster.configure(("\(site.lab)/key", "\(cluster.directory)/id"))
            for transport in ["libssh2", "openssh"] {
                cluster.transport = transport
                for host in ["web1", "web2"] { try cluster.write("\(host)/app/file", transport) }
                let deploy = try cluster.startAsking("--no-confirm")
                try deploy.expect("\nPassphrase of \(cluster.directory)/id: ")
                deploy.type(line: "wrong")
                try deploy.expect("\nWrong, try again. Passphrase of \(cluster.directory)/id: ")
                deploy.type(line: "opensesame")
                let output = try deploy.finish().require(0)
                #expect(output.text.split(separator: "Passphrase of").count == 3, "\(output)")
                #expect(!output.text.contains("opensesame"))
            }
            // Without a terminal, the key is named.
            for transport in ["libssh2", "auto"] {
                cluster.transport = transport
                try cluster.write("web1/app/file", "none")
                let output = try cluster.deploy().require(1)
                #expect(output.text.contains("    \(cluster.directory)/id (ssh-ed25519): needs a passphrase\n"), "\(output)")
            }
        }

        @Test func `no host is locked, and all stay connected, while a question about another is open`() throws {
            let (web1, web2) = try site.boot("web1", "web2")
            for host in ["web1", "web2"] { try cluster.write("\(host)/app/file", "1") }
            try cluster.deploy().require(0)
            try cluster.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "opensesame", "-f", "id")
            try web2.run("echo '\(cluster.run("cat", "id.pub"))' >/root/.ssh/authorized_keys")
            let lab = try String(contentsOfFile: "\(site.lab)/ssh_config", encoding: .utf8)
            let parts = lab.split(separator: "Host web2", maxSplits: 1)
            try cluster.write(
                outside: "ssh_config", parts[0] + "Host web2" + parts[1].replacing("\(site.lab)/key", with: "\(cluster.directory)/id"))
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
            for host in ["web1", "web2"] { try cluster.write("\(host)/app/file", "2") }
            let deploy = try cluster.startAsking("--no-confirm")
            try deploy.expect("\nPassphrase of \(cluster.directory)/id: ")
            // Meanwhile the other is connected, and waits for somebody else to deploy to it.
            try web1.wait(for: "pgrep -f deptool-agent")
            for _ in 0..<20 {
                #expect(try web1.isLocked == false)
                usleep(100_000)
            }
            let other = try Cluster(site, of: "Bob")
            try other.write("web1/app/file", "3")
            try other.deptool("sync", "--ssh-config", "\(site.lab)/ssh_config").require(0)
            try other.deploy("--limit", "web1").require(0)
            deploy.type(line: "opensesame")
            let output = try deploy.finish().require(1)
            #expect(output.text.contains("web1: somebody else deployed to it since"), "\(output)")
            #expect(output.text.contains("web2: not changed, since another host is not ready"), "\(output)")
            #expect(try web2.read("/var/lib/deptool/apps/app/current/file") == "1")
        }

        @Test func `passwords, unknown keys and other prompts of ssh reach the operator`() throws {
            let host = try site.boot()
            try cluster.write("web1/app/file", "one")
            try host.run("echo operator:letmein | chpasswd; rm /home/operator/.ssh/authorized_keys")
            try host.write("/etc/ssh/sshd_config.d/k.conf", "KbdInteractiveAuthentication yes\n")
            try host.run("systemctl restart ssh")
            try cluster.configure(
                ("User root", "User operator"), ("\(site.lab)/known_hosts", "\(cluster.directory)/known_hosts"),
                ("Checking yes", "Checking ask"))
            cluster.transport = "openssh"

            let deploy = try cluster.startAsking()
            try deploy.expect("[y/N/d] ")
            deploy.type(line: "y")
            let fingerprint = try host.run("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split(separator: " ")[1]
            try deploy.expect(
                "\nThe host '\(host.address)' has a key that is not known yet:\n    ssh-ed25519 \(fingerprint)\nIs it the right one? [y/N] "
            )
            deploy.type(line: "y")
            try deploy.expect("\nweb1 asks: (operator@\(host.address)) Password: ")
            deploy.type(line: "letmein")
            let output = try deploy.finish().require(0)
            #expect(!output.text.contains("letmein"))
            #expect(try host.apps().hasPrefix("app/\n"))

            // By itself, after libssh2 has failed.
            cluster.transport = "auto"
            try cluster.write("web1/app/file", "two")
            let again = try cluster.startAsking("--no-confirm")
            try again.expect("\nweb1 asks: (operator@\(host.address)) Password: ")
            again.type(line: "wrong")
            try again.expect("Password: ")
            again.type(line: "letmein")
            try again.finish().require(0)

            // Without a terminal, the error names the methods that the server accepts.
            try cluster.write("web1/app/file", "three")
            let refused = try cluster.deploy().require(1)
            #expect(refused.text.contains("\nThe server offers: publickey, password, keyboard-interactive.\n"), "\(refused)")
        }
    }
}
