import Foundation
import Testing

extension EndToEnd {
    /// Addresses, and hosts that fall silent.
    @Suite(.timeLimit(.minutes(60))) final class ReachabilityTests {
        let site: Site
        let cluster: Cluster
        let host: Host, other: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            (host, other) = try site.boot("web1", "web2")
            try cluster.write("web1/app/file", "1\n")
        }

        /// Writes ssh settings before those of the lab.
        private func configure(_ text: String) throws {
            let lab = try String(contentsOfFile: "\(site.lab)/ssh_config", encoding: .utf8)
            try cluster.write(outside: "ssh_config", text + "\n" + lab)
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
        }

        @Test func `IPv6: as address, as the only family, and through a jump host`() throws {
            for (index, settings) in [
                "HostName \(host.address6)", "HostName \(host.address6)\n  AddressFamily inet6",
                // The addresses that the host has for itself, by a jump over it.
                "HostName 127.0.0.1\n  HostKeyAlias \(host.address6)\n  ProxyJump root@[\(host.address6)]:22",
                "HostName ::1\n  HostKeyAlias \(host.address6)\n  ProxyJump six",
            ].enumerated() {
                try cluster.write("web1/app/file", "\(index)\n")
                try configure(
                    """
                    Host web1
                      \(settings)
                    Host six
                      HostName \(host.address6)
                      AddressFamily inet6
                    Host six fd10:*
                      User root
                      IdentityFile \(site.lab)/key
                      UserKnownHostsFile \(site.lab)/known_hosts
                      StrictHostKeyChecking yes

                    """)
                let output = try cluster.deploy()
                #expect(output.code == 0, "\(settings)\n\(output)")
                #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "\(index)\n", "\(settings)")
            }
            try configure("Host web1\n  HostName \(host.address)\n  AddressFamily inet6\n")
            try cluster.write("web1/app/file", "never\n")
            #expect(try cluster.deploy().require(1).text.contains("unknown name"))
        }

        @Test func `a name whose first address is dead is reached at the next`() throws {
            // It receives packets, and no answer returns.
            try other.run("ip route add blackhole \(try client(of: other))/32")
            try cluster.write(outside: "hosts", "\(other.address) both.test\n\(host.address) both.test\n127.0.0.1 localhost\n")
            try configure("Host web1\n  HostName both.test\n  HostKeyAlias \(host.address)\n  ConnectTimeout 4\n")
            let inside =
                "mount --bind \(cluster.directory)/hosts /etc/hosts && exec \(Tools.deptool) deploy --no-confirm --ssh-config ssh_config"
            let output = try Program(
                ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside], in: cluster.directory,
                environment: cluster.environment
            ).finish()
            #expect(output.code == 0, "\(output)")
            #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "1\n")
        }

        /// This machine's end of the network to a host.
        private func client(of host: Host) throws -> String {
            var parts = host.address.split(separator: ".").compactMap { Int($0) }
            parts[3] -= 1
            return parts.map(String.init).joined(separator: ".")
        }

        @Test func `a silent host is given up after the connect timeout, and the others go on`() throws {
            try cluster.write("web2/app/file", "2\n")
            try configure("Host web2\n  ConnectTimeout 1\n")
            try site.pause(other)
            let output = try cluster.deploy("--skip-unreachable")
            try site.resume(other)
            #expect(output.code == 1)
            #expect(output.text.contains("  web2: no answer while starting the SSH session\n"), "\(output)")
            #expect(output.text.contains("  web1: done\n"), "\(output)")
            #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "1\n")
        }

        @Test(.enabled(if: LoadTests.isTorture, "only with DEPTOOL_TORTURE"), arguments: ["applies", "stages"])
        func `a host that falls silent is given up after half a minute, frees itself, and the others finish`(at moment: String) throws {
            try cluster.write("web2/app/file", "2\n")
            try cluster.deploy().require(0)
            try cluster.write("web1/app/file", "new\n")
            if moment == "applies" {
                try cluster.addService("slow", on: "web2", before: "/bin/sleep 5")
            } else {
                // Enough to be under way for a while.
                for index in 0..<40 { try cluster.write("web2/app/\(index)", String(repeating: "\(index)", count: 1 << 20)) }
            }
            let begun = ContinuousClock.now
            let deploy = try cluster.startDeploy()
            try deploy.expect(moment == "applies" ? "web2: starting slow.service\n" : "web2: staging")
            try site.pause(other)
            let output = try deploy.finish(within: .seconds(150))
            #expect(output.code == (moment == "applies" ? 5 : 1), "\(output)")
            #expect(ContinuousClock.now - begun < .seconds(100), "\(ContinuousClock.now - begun)")
            try site.resume(other)
            try other.wait(for: "flock --nonblock /var/lib/deptool/store/lock true", within: .seconds(90))
            #expect(try other.read("/var/lib/deptool/apps/app/current/file") == "2\n")
            #expect(try other.run("ls /var/lib/deptool/apps") == "app\n")
            // Where it came to the steps, the other host had all it needed.
            #expect(try host.read("/var/lib/deptool/apps/app/current/file") == (moment == "applies" ? "new\n" : "1\n"))
            #expect(output.text.contains("  web1: done\n") == (moment == "applies"), "\(output)")
        }

        /// A host may be slow as long as its sshd answers.
        @Test(.enabled(if: LoadTests.isTorture, "only with DEPTOOL_TORTURE"))
        func `a host that is busy for longer is waited for`() throws {
            try cluster.addService("slow", on: "web1", before: "/bin/sleep 45")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "slow") == "active")
        }
    }
}
