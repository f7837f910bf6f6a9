import Foundation
import Testing

extension EndToEnd {
    /// Users of a host who are not root, and links in their directories.
    @Suite final class OtherUsersTests {
        private let site: Site
        private let cluster: Cluster
        private let host: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            host = try site.boot()
            try host.run("useradd --create-home mallory; mkdir -p /root/.ssh; echo precious >/root/.ssh/precious")
        }

        private func asMallory(_ script: String) throws -> String {
            try host.run("cd /home/mallory; exec setpriv --reuid=mallory --regid=mallory --init-groups sh -c '\(script)'")
        }

        private func write(_ links: [String: String], copies: [String] = []) throws {
            try cluster.write("web1/keys/one", "one\n")
            try cluster.write("web1/keys/two", "two\n")
            let list = links.sorted { $0.key < $1.key }.map { #""/home/mallory/\#($0.key)": "\#($0.value)""# }.joined(separator: ", ")
            let places = copies.map {
                #""/home/mallory/\#($0)": {"source": "one", "mode": "0600", "owner": "mallory", "group": "mallory"}"#
            }
            try cluster.write("web1/keys/manifest.json", #"{"symlinks": {\#(list)}, "copies": {\#(places.joined(separator: ", "))}}"#)
        }

        /// All that is not mallory's or Deptool's, with mode, owner and content.
        private func others() throws -> String {
            try host.run(
                #"""
                find / -xdev \( -path /home/mallory -o -path /var/lib/deptool -o -path /proc -o -path /sys -o -path /run -o -path /tmp \
                    -o -path /var/tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd \) -prune -o \
                    \( -printf '%p %y %m %U:%G %l %s\n' \) | grep -v '^/ d\|^/home d\|^/var/lib d' | LC_ALL=C sort
                find /etc /root /opt /srv /usr/local -type f -exec sha256sum {} + | LC_ALL=C sort
                """#)
        }

        @Test func `a symlink of a user's to root's keys is not followed`() throws {
            try write([".ssh/authorized_keys": "one"])
            _ = try asMallory("ln -s /root/.ssh .ssh")
            let before = try others()
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(output.text.contains("/home/mallory/.ssh is a symlink to /root/.ssh that is not Deptool's"), "\(output)")
            expect(try others(), is: before)
            _ = try asMallory("rm .ssh; mkdir .deptool-new")
            try cluster.deploy().require(0)
            #expect(try host.run("stat -c '%U %a' /home/mallory/.ssh") == "mallory \(host.run("stat -c %a /home/mallory"))")
            expect(try others(), is: before)
        }

        /// mallory replaces every entry of the path by every other kind, as fast as possible.
        private static let mischief = #"""
            my @places = ("data", "data/deep", "data/deep/link", "data/turns", "data/adopted", "data/deep/copy", ".deptool-new", "data/.deptool-new");
            my @traps = ("/root/.ssh", "/root", "/etc", "../../etc", "/var/lib/deptool/store", "/var/lib/deptool");
            sub any { return $_[rand @_] }
            while (getppid() != 1) {
                my ($place, $spare, $kind) = (any(@places), "spare" . int(rand 5), int rand 8);
                if ($kind < 2) { mkdir $spare }
                elsif ($kind < 4) { symlink any(@traps), $spare }
                elsif ($kind == 4) { if (open my $file, ">", $spare) { print $file any("one\n", "two\n", "else") } }
                elsif ($kind == 5) { unlink $spare or rmdir $spare }
                # renameat2(2) in the present directory, with RENAME_EXCHANGE
                syscall(316, -100, $place, -100, $spare, 2);
                if ($kind == 6) { rename $spare, $place }
                if ($kind == 7) { rename $place, $spare }
            }
            """#

        @Test func `a user who swaps directories, links and files changes only their own`() throws {
            let states = [
                ["data/deep/link": "one", "data/turns": "one", "data/adopted": "one"],
                ["data/deep/link": "two", "data/turns": "one", "data/new/x/y": "two"],
                ["data/turns": "two"],
            ]
            try write([:])
            try cluster.deploy().require(0)
            let before = try others()
            try host.write("/var/tmp/mischief", Self.mischief)
            try host.run(
                """
                systemd-run --quiet --unit=mischief --uid=mallory --working-directory=/home/mallory \\
                    sh -c 'perl /var/tmp/mischief & perl /var/tmp/mischief & wait'
                """)
            let end = ContinuousClock.now + (Torture.isWhole ? .seconds(600) : .zero)
            var (done, undone, refused) = (0, 0, 0)
            var round = 0
            while round < 12 || ContinuousClock.now < end {
                round += 1
                try write(states.randomElement() ?? [:], copies: Bool.random() ? ["data/deep/copy", "data/own/copy"] : [])
                let output =
                    switch round % 4 {
                    case 0: try cluster.deploy("--repair")
                    case 2: try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration)
                    default: try cluster.deploy()
                    }
                switch output.code {
                case 0: done += 1
                case 1: refused += 1
                case 3: undone += 1
                default: Issue.record("round \(round): \(output)")
                }
                // Nothing that mallory does leaves a deploy half done.
                #expect(try host.run("ls /var/lib/deptool/store").contains("journal") == false, "round \(round): \(output)")
                if round % 20 == 0 { expect(try others(), is: before) }
            }
            try host.run("systemctl stop mischief.service; systemctl reset-failed mischief.service || true")
            expect(try others(), is: before)
            #expect(done + undone > 0)
            print("a user who swaps: \(done) times done, \(undone) times undone, \(refused) times refused")
            // Once it is over, the host is as planned. Directories that were moved into each other
            // repeatedly are deep.
            try host.wait(for: "rm -rf /home/mallory/* /home/mallory/.[!.]*", within: .seconds(1000))
            try write(states[0])
            try cluster.deploy("--repair").require(0)
            #expect(try host.run("readlink -f /home/mallory/data/deep/link; cat /home/mallory/data/turns").hasSuffix("/one\none\n"))
            #expect(try host.run("find /home/mallory -name '.deptool-*'") == "")
        }
    }
}
