import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// `doctor` finds problems of this machine, of hosts, and on the route to them.
    @Suite struct DoctorTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            cluster.environment["NO_COLOR"] = "1"
        }

        private func doctor(_ arguments: String...) throws -> Output {
            try Program(
                [Tools.deptool, "doctor", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment
            ).finish()
        }

        /// The lines about a host, without the columns.
        private func findings(_ output: Output, of host: String) -> [String] {
            let lines = output.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            guard let start = lines.firstIndex(of: host) else { return [] }
            return lines[(start + 1)...].prefix { !$0.isEmpty }.map {
                $0.replacing(/(\S) +/) { "\($0.output.1) " }.trimmingCharacters(in: .whitespaces)
            }
        }

        @Test func `a healthy host passes every check`() throws {
            let host = try site.boot()
            try cluster.addService("clock", on: "web1")
            let output = try doctor("web1").require(0)
            let found = findings(output, of: "web1")
            #expect(
                found.prefix(8) == [
                    "ok ssh settings root@\(host.address):22", "ok name works", "ok port works", "ok ssh server works", "ok host key works",
                    "ok login works", "ok root works", "ok shell the login prints nothing of its own",
                ], "\(output)")
            #expect(
                found.dropFirst(8).map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                    "ok cpu", "ok hostname", "ok space", "ok mount", "ok programs", "ok systemd", "ok boot",
                ], "\(output)")
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)
            let object = try Schema().objects(doctor("web1", "--json").require(0).text)[0]
            let rows = try #require(object["findings"] as? [[String: Any]])
            #expect(
                rows.contains { $0["host"] as? String == "web1" && $0["check"] as? String == "login" && $0["verdict"] as? String == "ok" })
        }

        @Test func `findings on a host come with remedies`() throws {
            let host = try site.boot()
            try cluster.write("web1/pod/quadlets/a.container", "[Container]\nImage=x\n")
            try host.run(
                "echo Welcome >/etc/motd.txt; printf 'cat /etc/motd.txt\\n' >/root/.bashrc; echo other >/etc/hostname; mount -t tmpfs -o noexec,size=2m none /var/lib"
            )
            let output = try doctor("web1").require(1)
            let found = findings(output, of: "web1")
            for line in [
                "warn shell the login prints 7 bytes before the command runs", "fail hostname is another host: its name is 'other'",
                "fail mount cannot install the agent (noexec)",
                "fail quadlets Podman's generator of units is not there, and the config tree has quadlets for the host",
            ] { #expect(found.contains(line), "\(output)") }
            #expect(found.contains { $0.hasPrefix("fail space 2.") }, "\(output)")
            #expect(output.text.contains("If it is the right host, say so in its host.json: {\"hostname\": \"other\"}"))
            #expect(output.text.contains("\n4 failures, "), "\(output)")
        }

        @Test func `a symlink that is read before /var is mounted is a finding`() throws {
            let host = try site.boot(["web1"], .separateVar)[0]
            try cluster.write("web1/app/sysctl.conf", "# one\n")
            try cluster.write(
                "web1/app/manifest.json", #"{"symlinks": {"/etc/sysctl.d/app.conf": "sysctl.conf", "/etc/motd": "sysctl.conf"}}"#)
            let output = try doctor(host.name).require(0)
            #expect(
                findings(output, of: "web1").contains(
                    "warn boot /var is mounted during the boot, and /etc/sysctl.d/app.conf is read before"),
                "\(output)")
            try cluster.write("web1/app/manifest.json", #"{"copies": {"/etc/sysctl.d/app.conf": "sysctl.conf"}}"#)
            #expect(
                findings(try doctor(host.name).require(0), of: "web1")
                    .contains("ok boot /var is mounted during the boot; placed files are available before"))
        }

        @Test func `the route to a host is followed to the point of failure`() throws {
            let host = try site.boot()
            try cluster.configure(
                (
                    "Host web1\n",
                    "Host refused\n  HostName \(host.address)\n  Port 1\nHost nameless\n  HostName nowhere.invalid\n"
                        + "Host stranger\n  HostName \(host.address)\n  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
                        + "Host locked\n  HostName \(host.address)\n  HostKeyAlias \(host.address)\n  User nobody\n  UserKnownHostsFile \(site.lab)/known_hosts\n  IdentityFile /nowhere\n  IdentitiesOnly yes\nHost web1\n"
                ))
            func last(_ name: String) throws -> [String] {
                let output = try doctor(name).require(1)
                return findings(output, of: name).filter { $0.hasPrefix("ok ") || $0.hasPrefix("fail ") }
            }
            #expect(try last("refused").suffix(2) == ["ok name works", "fail port connection refused"])
            #expect(try last("nameless").dropFirst() == ["fail name unknown name"])
            #expect(try last("stranger").suffix(2) == ["ok ssh server works", "fail host key unknown host key"])
            #expect(try last("locked").suffix(2) == ["ok host key works", "fail login login failed"])
        }

        @Test func `sudo with a password is a finding`() throws {
            let host = try site.boot()
            try host.write("/etc/sudoers.d/operator", "operator ALL=(ALL) ALL\n")
            try cluster.configure(("User root", "User operator"))
            let found = findings(try doctor("web1").require(1), of: "web1")
            #expect(found.contains("ok login works") && found.contains("fail root sudo needs a password"), "\(found)")
            try host.write("/etc/sudoers.d/operator", "operator ALL=(ALL) NOPASSWD: ALL\n")
            try doctor("web1").require(0)
        }

        @Test func `a host with only busybox is examined`() throws {
            let host = try site.boot(["box1"], .busybox)[0]
            let output = try doctor(host.name).require(0)
            #expect(findings(output, of: "box1").contains("warn systemd systemd does not run there"), "\(output)")
        }

        @Test func `this machine is examined without hosts`() throws {
            try cluster.write("web1/app/file", "one\n")
            try cluster.write(outside: "ssh_config", "")
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
            let output = try doctor().require(0)
            let found = findings(output, of: "this machine")
            for line in [
                "ok store \(cluster.directory)/.deptool, 0 hosts deployed", "ok git author Ann <ann@example.com>",
                "ok cluster \(cluster.directory)/prod, 1 host",
            ] {
                #expect(found.contains(line), "\(output)")
            }
            #expect(output.text.contains("  ok    agents"), "\(output)")

            try cluster.write("web1/app/manifest.json", "{\n")
            try cluster.write(outside: ".gitconfig", "")
            try cluster.write(outside: "ssh_config", "Nonsense yes\n")
            let broken = try doctor().require(1)
            let bad = findings(broken, of: "this machine")
            #expect(bad.contains { $0.hasPrefix("fail cluster prod/web1/app/manifest.json") }, "\(broken)")
            #expect(bad.contains { $0.hasPrefix("warn git author") } && bad.contains("fail ssh ssh refuses its configuration"), "\(broken)")

            cluster.environment["DEPTOOL_STORE"] = "\(cluster.directory)/nowhere"
            #expect(
                findings(try doctor().require(1), of: "this machine").first
                    == "fail store there is no store at \(cluster.directory)/nowhere")
            #expect(try doctor("no/host").code == 1)
        }
    }
}
