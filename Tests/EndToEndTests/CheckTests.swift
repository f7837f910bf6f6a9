import Foundation
import Testing

extension EndToEnd {
    /// Checks of the apps: on the host as it will be, without a way to change it.
    @Suite final class CheckTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        private func app(_ check: String, on host: String = "web1", more: String = "") throws {
            try cluster.write("\(host)/app/manifest.json", #"{"checks": [["./check"]], "symlinks": {"/etc/app": "conf"}\#(more)}"#)
            try cluster.write("\(host)/app/check", "#!/bin/sh\n\(check)\n")
            try cluster.run("chmod 755 prod/\(host)/app/check")
            if !FileManager.default.fileExists(atPath: "\(cluster.directory)/prod/\(host)/app/conf") {
                try cluster.write("\(host)/app/conf", "good\n")
            }
        }

        @Test(arguments: Site.Flavour.debians + [.busybox])
        func `a check sees the future host, and changes nothing on it`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try host.write("/etc/own", "of the host\n")
            try cluster.write("web1/base/motd", "hi\n")
            try cluster.deploy().require(0)
            try app(
                """
                set -e
                cd /
                [ "$(cat /etc/app)" = good ]
                [ "$(cat /var/lib/deptool/apps/app/current/conf)" = good ]
                [ "$(cat /etc/own)" = "of the host" ]
                [ "$(cat /etc/copied)" = good ]
                [ "$(stat -c %a /etc/copied)" = 640 ]
                echo spoiled > /etc/own
                echo x > /var/lib/deptool/here
                rm -rf /var/lib/deptool/store
                """, more: #", "copies": {"/etc/copied": {"source": "conf", "mode": "0640"}}"#)
            let before = try host.snapshot()
            let checked = try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration)
            try checked.require(0)
            #expect(checked.text.contains("        check ./check before anything changes\n"), "\(checked)")
            #expect(checked.text.contains("  web1: every check passed\n"), "\(checked)")
            #expect(checked.text.contains("Checked 1 host in "), "\(checked)")
            expect(try host.snapshot(), is: before)
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/own") == "of the host\n")
            #expect(try host.read("/etc/app") == "good\n")
            #expect(try host.attempt("[ -e /var/lib/deptool/here ]").code == 1)
            // Removed files are gone there.
            try app(#"[ ! -e /etc/copied ] && [ "$(cat /etc/app)" = better ]"#)
            try cluster.write("web1/app/conf", "better\n")
            try cluster.deploy().require(0)
        }

        @Test func `a user who swaps directories brings no mount to another place of the copy`() throws {
            let host = try site.boot("web1")
            try host.run(
                """
                useradd -m alice
                mkdir -p /srv/programs /home/alice/x/programs
                printf '#!/bin/sh\n' >/srv/programs/check
                mount -t tmpfs -o mode=755,uid=alice none /home/alice/x/programs
                printf '#!/bin/sh\necho hers; exit 1\n' >/home/alice/x/programs/check
                chmod 755 /srv/programs/check /home/alice/x/programs/check
                ln -s /tmp/root/srv /home/alice/y
                chown -h alice /home/alice/x /home/alice/y
                """)
            try host.write(
                "/srv/swap",
                """
                import ctypes
                while True: ctypes.CDLL(None).renameat2(-100, b"/home/alice/x", -100, b"/home/alice/y", 2)
                """)
            try host.run("systemd-run -q -u swap --uid=alice python3 /srv/swap")
            try cluster.write("web1/app/manifest.json", #"{"checks": [["/srv/programs/check"]]}"#)
            for _ in 0..<16 { try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration).require(0) }
            #expect(try host.attempt("systemctl is-active swap").code == 0)
        }

        @Test func `one failed check on one of eight hosts leaves all unchanged`() throws {
            let hosts = try site.boot((1...8).map { "web\($0)" })
            for host in hosts {
                try app("grep -q good /etc/app || { echo 'line 1: no good'; echo 'see conf' >&2; exit 3; }", on: host.name)
            }
            try cluster.deploy().require(0)
            let before = try hosts.map { try $0.snapshot() }
            for host in hosts { try cluster.write("\(host.name)/app/conf", host.name == "web2" ? "bad\n" : "better good\n") }
            let output = try cluster.deploy().require(1)
            #expect(
                output.text.contains(
                    """
                    web2: check `./check` of app failed (status 3):
                        | line 1: no good
                        | see conf

                    """), "\(output)")
            #expect(output.text.hasSuffix("Nothing was changed.\n"), "\(output)")
            for (host, before) in zip(hosts, before) { expect(try host.snapshot(), is: before) }
            let json = try cluster.deptool("check", "--json", "--ssh-config", cluster.sshConfiguration)
            try json.require(1)
            #expect(json.text.contains(#""outcome":"failed","message":"check `./check` of app failed (status 3)""#), "\(json)")
            // At midnight.
            try cluster.deploy("--no-checks").require(0)
            #expect(try hosts[1].read("/etc/app") == "bad\n")
        }

        @Test func `a hostile check has no effect on its host`() throws {
            let host = try site.boot("web1", .debian13)
            try cluster.addService("service", on: "web1")
            try app("exit 0")
            try cluster.deploy().require(0)
            let (before, units) = (try host.snapshot(), try host.units())
            let attack = """
                systemctl stop ssh service; systemctl poweroff; systemd-run touch /etc/attacked
                kill -9 -1
                for pid in 1 2 3 $PPID; do kill -9 $pid; done
                rm -rf /etc /var /run /srv /opt /root /home /usr /boot /lib /bin 2>/dev/null
                for device in vda sda loop0 mem kmem port; do dd if=/dev/zero of=/dev/$device count=1; mknod /tmp/$device b 8 0; done
                dd if=/dev/zero of=/tmp/b8 count=1
                mount -o remount,rw /; mount -t tmpfs none /usr; umount -l /
                echo b > /proc/sysrq-trigger; echo 1 > /proc/sys/kernel/panic; sysctl -w kernel.hostname=attacked; hostname attacked
                echo attacked > /proc/1/root/etc/attacked; echo attacked > /proc/1/cwd/attacked
                nsenter -t 1 -m touch /etc/attacked; chroot /proc/1/root touch /etc/attacked
                ip link set lo down; ip addr flush dev lo
                chattr +i /etc/hostname; date -s 2001-01-01; reboot -f; swapoff -a; rmmod overlay
                (sleep 1000 &) ; nohup sleep 1000 &
                exit 0
                """
            for line in attack.split(separator: "\n") + [attack[...]] {
                try app(String(line))
                // Some of these end the check itself.
                let output = try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration)
                #expect(output.code == 0 || output.code == 1, "\(line): \(output)")
                expect(try host.snapshot(), is: before)
                expect(try host.units(), is: units)
                #expect(try host.run("pgrep -x sleep -a | grep -c 1000; true") == "0\n", "\(line)")
            }
            #expect(try host.run("hostname") == "web1\n")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
        }

        @Test func `checks that hang, are missing, cannot run or are cancelled fail the deploy`() throws {
            let host = try site.boot("web1", .debian12)
            try app("exit 0")
            try cluster.deploy().require(0)
            let before = try host.snapshot()
            func fails(_ message: String) throws {
                let output = try cluster.deploy().require(1)
                #expect(output.text.contains("web1: \(message)"), "\(output)")
                expect(try host.snapshot(), is: before)
            }
            try app("sleep 1000", more: #", "check_timeout": 1"#)
            try fails("check `./check` of app did not end within 1 s")
            try app("kill -SEGV $$")
            try fails("check `./check` of app was killed by signal 11")
            try cluster.write("web1/app/manifest.json", #"{"checks": [["/usr/sbin/nginx", "-t"]], "symlinks": {"/etc/app": "conf"}}"#)
            try fails("a check of app did not run: cannot run /usr/sbin/nginx: no such file or directory")
            // All of them are reported.
            try cluster.write(
                "web1/app/manifest.json", #"{"checks": [["/bin/false"], ["/bin/sh", "-c", "exit 2"]], "symlinks": {"/etc/app": "conf"}}"#)
            let output = try cluster.deploy().require(1)
            #expect(
                output.text.contains(
                    """
                    web1: 2 obstacles:
                        check `/bin/false` of app failed (status 1)
                        check `/bin/sh -c exit 2` of app failed (status 2)

                    """), "\(output)")
            // A process left by one check is gone before the next.
            try cluster.write("web1/app/leave", "#!/bin/sh\n(exec >/dev/null 2>&1; sleep 1000) &\n")
            try cluster.write("web1/app/look", "#!/bin/sh\nfor one in /proc/[0-9]*; do ! grep -q 1000 $one/cmdline || exit 1; done\n")
            try cluster.run("chmod 755 prod/web1/app/leave prod/web1/app/look")
            try cluster.write("web1/app/manifest.json", #"{"checks": [["./leave"], ["./look"]], "symlinks": {"/etc/app": "conf"}}"#)
            try cluster.deptool("check", "--ssh-config", cluster.sshConfiguration).require(0)
            // Given up in the middle, the host is free for the next.
            try app("sleep 1000", more: #", "check_timeout": 1000"#)
            let deploy = try cluster.startDeploy()
            try deploy.expect("web1: checking the files")
            deploy.signal(SIGINT)
            #expect(try deploy.finish().code == 1)
            expect(try host.snapshot(), is: before)
            try app("exit 0")
            try cluster.write("web1/app/conf", "new\n")
            try cluster.deploy().require(0)
        }

        @Test func `programs of the host check the new files with their includes`() throws {
            let host = try site.boot("web1", .debian13)
            try cluster.write(
                "web1/base/manifest.json",
                #"{"checks": [["/usr/sbin/visudo", "-c", "-f", "/etc/sudoers"], ["/usr/sbin/sshd", "-t"]], "symlinks": {"/etc/sudoers.d/deptool": "rule", "/etc/ssh/sshd_config.d/x.conf": "ssh"}}"#
            )
            try cluster.write("web1/base/rule", "games ALL=(ALL) ALL\n")
            try cluster.write("web1/base/ssh", "X11Forwarding no\n")
            try cluster.deploy("--guard", "never").require(0)
            let before = try host.snapshot()
            try cluster.write("web1/base/rule", "games ALL=(ALL ALL\n")
            var output = try cluster.deploy("--guard", "never").require(1)
            #expect(output.text.contains("check `/usr/sbin/visudo -c -f /etc/sudoers` of base failed (status 1)"), "\(output)")
            try cluster.write("web1/base/rule", "games ALL=(ALL) ALL\n")
            try cluster.write("web1/base/ssh", "X11Forwarding perhaps\n")
            output = try cluster.deploy("--guard", "never").require(1)
            #expect(output.text.contains("check `/usr/sbin/sshd -t` of base failed (status 255)"), "\(output)")
            expect(try host.snapshot(), is: before)
        }
    }
}
