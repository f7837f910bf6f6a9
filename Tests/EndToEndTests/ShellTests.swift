import Foundation
import Testing

extension EndToEnd {
    /// Login shells, and what keeps an agent from being put onto a host.
    @Suite final class ShellTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            try cluster.write("web1/app/file", "0")
        }

        /// From now on, logins are by this user.
        private func login(as user: String) throws {
            let lab = try String(contentsOfFile: "\(site.lab)/ssh_config", encoding: .utf8)
            try cluster.write(outside: "ssh_config", lab.replacing("User root", with: "User \(user)"))
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
        }

        @Test func `every login shell works, and profiles may print`() throws {
            let host = try site.boot()
            // By name: the shell, the file that it reads at every login, and its content.
            let shells = [
                ("dash", "/bin/dash", ".profile", "echo hello"), ("bash", "/bin/bash", ".bashrc", "echo hello; echo to you >&2"),
                ("zsh", "/bin/zsh", ".zshenv", "printf 'no newline'; echo to you >&2"),
                ("fish", "/usr/bin/fish", ".config/fish/config.fish", "echo hello; echo to you >&2"),
                ("ash", "/usr/local/bin/ash", ".profile", "echo hello"),
            ]
            try host.run("ln -s /usr/bin/busybox /usr/local/bin/ash")
            for (name, shell, file, text) in shells {
                try host.run(
                    """
                    useradd --create-home --shell \(shell) \(name)
                    cp -r /root/.ssh /home/\(name)
                    echo '\(name) ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/\(name)
                    """)
                try host.write("/home/\(name)/\(file)", text + "\n")
                try host.run("chown -R \(name) /home/\(name)")
            }
            for (index, shell) in shells.enumerated() {
                try login(as: shell.0)
                // Once with an agent to install, once with one that is there.
                try host.run("rm -rf /var/lib/deptool/bin")
                for turn in 1...2 {
                    try cluster.write("web1/app/file", "\(index * 2 + turn)")
                    let output = try cluster.deploy()
                    #expect(output.code == 0 && output.text.contains("installing the agent") == (turn == 1), "\(shell.0): \(output)")
                    #expect(try host.read("/var/lib/deptool/apps/app/current/file") == "\(index * 2 + turn)")
                }
            }
        }

        @Test func `the error of a host that cannot run the agent has a reason and a remedy`() throws {
            let host = try site.boot()
            func deploy() throws -> String {
                let output = try cluster.deploy().require(1)
                return output.text.split(separator: "\n\n").dropFirst(2).first.map(String.init) ?? output.text
            }
            func mount(_ options: String) throws {
                try host.run("mkdir -p /var/lib/deptool && mount -t tmpfs -o \(options) none /var/lib/deptool")
            }
            func unmount() throws { try host.run("umount /var/lib/deptool") }

            try mount("noexec")
            expect(
                try deploy().replacing(/new\.[0-9]+/, with: "new.N"),
                is: """
                    web1: Programs in /var/lib/deptool cannot run, probably because /var is mounted with noexec. Allow it there with
                        mount --bind /var/lib/deptool /var/lib/deptool && mount -o remount,bind,exec /var/lib/deptool
                    and make that permanent in /etc/fstab. Output of the host:
                        | sh: 1: /var/lib/deptool/bin/new.N: Permission denied
                    """)
            #expect(try host.run("find /var/lib/deptool -type f") == "")
            try unmount()

            try mount("size=100k")
            let full = try deploy()
            #expect(full.contains(/^web1: not enough space in \/var\/lib\/deptool: [0-9.]+ kB needed, [0-9.]+ kB free\.\n/), "\(full)")
            #expect(try host.run("find /var/lib/deptool -type f") == "")
            try unmount()

            try mount("size=600k")
            try cluster.write("web1/app/large", String(repeating: "x", count: 500_000))
            #expect(try deploy().contains("not enough space in /var/lib/deptool: "))
            #expect(try host.run("ls /var/lib/deptool/apps") == "")
            try unmount()

            try host.write("/usr/local/bin/uname", "#!/bin/sh\necho NetBSD s390x")
            try host.run("chmod 755 /usr/local/bin/uname")
            let output = try cluster.deploy().require(1).text
            #expect(output.contains("  web1: no agent for NetBSD s390x\n"), "\(output)")
            #expect(output.contains("\nweb1: Deptool has agents for Linux on \(AgentTests.listed).\n"), "\(output)")

            // The remedy of the message about noexec works.
            try host.run("rm /usr/local/bin/uname")
            try mount("noexec")
            #expect(try deploy().contains("mount --bind /var/lib/deptool /var/lib/deptool"))
            try host.run("mount --bind /var/lib/deptool /var/lib/deptool && mount -o remount,bind,exec /var/lib/deptool")
            try cluster.deploy().require(0)
        }
    }
}
