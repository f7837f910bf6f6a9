import Foundation
import Testing

extension EndToEnd {
    /// Many hosts.
    @Suite(.timeLimit(.minutes(60))) final class LoadTests: OneHost {
        static let isTorture = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] != nil

        /// Makes hosts h1 to hN of the one that runs: each a sshd on a port of its own, with a name, an /etc and a
        /// /var/lib/deptool that no other sees.
        private func startHosts(_ count: Int, sshd options: String) throws {
            try host.write(
                "/root/farm",
                """
                mkdir -p /var/lib/deptool
                for i in $(seq \(count)); do
                    mkdir -p /srv/h$i/var
                    cp -a /etc /srv/h$i/etc
                    echo h$i >/srv/h$i/etc/hostname
                    unshare --mount sh -c "mount --bind /srv/h$i/etc /etc; mount --bind /srv/h$i/var /var/lib/deptool
                        exec /usr/sbin/sshd -D -p $((3000 + i)) \(options)" &
                done
                wait
                """)
            try host.run("systemd-run --quiet --unit farm sh /root/farm")
            try host.wait(for: "[ $(ss -Htln | grep -c ' 0.0.0.0:3[0-9][0-9][0-9] ') = \(count) ]", within: .seconds(120))
            for index in 1...count { try cluster.write("h\(index)/app/file", "\(index)\n") }
            try cluster.write(outside: "ssh_config", try configuration(count))
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
        }

        /// Each host by its port, and `jump`, the one that all of them are on.
        private func configuration(_ count: Int, proxy: String = "") throws -> String {
            let lab = try String(contentsOfFile: "\(site.lab)/ssh_config", encoding: .utf8)
            let hosts = (1...count).map { "Host h\($0)\n  Port \(3000 + $0)\n  \(proxy)\n" }.joined()
            let all = lab.replacing("Host web1\n", with: "Host jump h*\n  HostKeyAlias \(host.address)\n  ControlPath none\n")
            return hosts + all
        }

        private func expectDeployed(_ count: Int, _ text: String, options: [String] = []) throws {
            for index in 1...count { try cluster.write("h\(index)/app/file", "\(text) \(index)\n") }
            let output = try cluster.startDeploy(options).finish(within: .seconds(300))
            #expect(output.code == 0, "\(output)")
            #expect(output.text.contains("Deployed to \(count) hosts"), "\(output)")
            let files = try host.run("cat /srv/h*/var/apps/app/current/file")
            #expect(Set(files.split(separator: "\n")) == Set((1...count).map { "\(text) \($0)" }))
        }

        @Test func `twelve hosts are deployed through a jump host that takes few logins at a time`() throws {
            try startHosts(12, sshd: "-o MaxStartups=1:50:3")
            try host.run("echo MaxStartups 2:50:4 >/etc/ssh/sshd_config.d/lab.conf && systemctl reload ssh")
            try expectDeployed(12, "direct")
            try cluster.write(outside: "ssh_config", try configuration(12, proxy: "ProxyJump jump"))
            try expectDeployed(12, "jump")
            try cluster.write(
                outside: "ssh_config",
                try configuration(12, proxy: "ProxyCommand ssh -F \(cluster.sshConfiguration) -o BatchMode=yes -W %h:%p jump"))
            try expectDeployed(12, "command")
            // One after the other, none of them is turned away.
            try host.run("echo MaxStartups 1:100:1 >/etc/ssh/sshd_config.d/lab.conf && systemctl reload ssh")
            let refusals = "journalctl | grep -c MaxStartups || true"
            let before = try host.run(refusals)
            try cluster.write(outside: "ssh_config", try configuration(12, proxy: "ProxyJump jump"))
            try expectDeployed(12, "one by one", options: ["--parallel", "1"])
            #expect(try host.run(refusals) == before)
        }

        @Test(.enabled(if: isTorture, "only with DEPTOOL_TORTURE"))
        func `sixty hosts are deployed, also through one jump host with sshd's defaults`() throws {
            try startHosts(60, sshd: "-o MaxStartups=10:30:100")
            try expectDeployed(60, "direct")
            try cluster.write(outside: "ssh_config", try configuration(60, proxy: "ProxyJump jump"))
            try expectDeployed(60, "jump")
        }
    }
}
