import Foundation
import Testing

extension EndToEnd {
    /// A failed deploy is undone completely.
    @Suite final class RollbackTests: OneHost {
        @Test func `a failed first deploy leaves the host unchanged`() throws {
            try host.write("/etc/app.conf", "same\n")
            try host.run("chgrp users /etc/app.conf && chmod 444 /etc/app.conf && touch -d 2001-02-03 /etc/app.conf")
            let before = try host.snapshot()
            try cluster.addService("app", on: "web1", run: "/bin/sh -c 'echo no such zone; exit 7'")
            try cluster.addService("other", on: "web1")
            try cluster.write("web1/other/app.conf", "same\n")
            try cluster.write(
                "web1/other/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["other.service"]},
                 "symlinks": {"/etc/app.conf": "app.conf", "/etc/new/deep/app.conf": "app.conf"}}
                """#)

            let output = try cluster.deploy()

            #expect(output.code == 3)
            #expect(output.errors == "")
            // The unit's own lines may come anywhere among systemd's.
            #expect(output.text.contains("\n    | no such zone\n"))
            let end = output.stable.split(separator: "\n\n").suffix(3).joined(separator: "\n\n")
                .replacing("    | no such zone\n", with: "")
            expect(
                end,
                is: """
                      web1: connecting
                      web1: installing the agent
                      web1: connected
                      web1: locking
                      web1: staging
                      web1: ready
                      web1: changing files and links
                      web1: reloading systemd
                      web1: enabling app.service
                      web1: starting app.service
                      web1: rolling back: unit app.service failed (exit-code, status 7)
                      web1: rolled back: unit app.service failed (exit-code, status 7)

                    web1: unit app.service failed (exit-code, status 7); its last journal lines:
                        | Starting app.service...
                        | app.service: Main process exited, code=exited, status=7/NOTRUNNING
                        | app.service: Failed with result 'exit-code'.
                        | Failed to start app.service.
                    The previous state is back.

                    Rolled back 1 host, in N s.

                    """)
            expect(try host.snapshot().replacing("/var/lib/deptool/apps d 755 0:0 \n", with: ""), is: before)
            for unit in ["app", "other"] {
                #expect(try host.state(of: unit) == "inactive")
                #expect(try host.run("systemctl show --value -p LoadState \(unit)") == "not-found\n")
            }
            #expect(try host.run("systemctl is-system-running || true") == "running\n")
            #expect(try cluster.references() == "")
            #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: new host\n")
            #expect(try host.isLocked == false)

            // Mended, the same deploy works.
            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
        }

        @Test func `new links and units, and changed and removed apps are undone`() throws {
            try cluster.addService("changed", on: "web1")
            try cluster.write("web1/changed/a.conf", "a\n")
            try cluster.write("web1/changed/b.conf", "b\n")
            try cluster.write(
                "web1/changed/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["changed.service"]},
                 "symlinks": {"/etc/goes": "a.conf", "/etc/turns": "a.conf"}}
                """#)
            try cluster.addService("removed", on: "web1")
            try cluster.addService("untouched", on: "web1")
            try cluster.write("web1/disabled/systemd/quiet.service", "[Service]\nExecStart=/bin/true\n")
            try cluster.deploy().require(0)
            try cluster.write("web1/changed/a.conf", "a2\n")
            try cluster.deploy().require(0)
            try host.write("/etc/adopted", "b\n")
            let before = try host.snapshot()
            let references = try cluster.references()
            let untouched = try host.invocation(of: "untouched")

            try cluster.write("web1/changed/a.conf", "a3\n")
            try cluster.write(
                "web1/changed/manifest.json",
                #"""
                {"systemd": {"units_enabled": ["changed.service", "second.service"]},
                 "symlinks": {"/etc/comes": "a.conf", "/etc/turns": "b.conf", "/etc/adopted": "b.conf"}}
                """#)
            try cluster.write(
                "web1/changed/systemd/second.service",
                "[Service]\nExecStart=/bin/sleep 1d\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.remove("web1/removed")
            try cluster.addService("zfails", on: "web1", run: "/bin/false")
            let output = try cluster.deploy()

            #expect(output.code == 3)
            expect(try host.snapshot(), is: before)
            #expect(try cluster.references() == references)
            #expect(try host.read("/etc/turns") == "a2\n")
            for unit in ["changed", "removed", "untouched"] {
                #expect(try host.state(of: unit) == "active")
                #expect(try host.enablement(of: unit) == "enabled")
            }
            #expect(try host.invocation(of: "untouched") == untouched)
            for unit in ["second", "zfails"] { #expect(try host.state(of: unit) == "inactive") }
            #expect(try host.run("systemctl is-system-running || true") == "running\n")
        }

        @Test func `the distribution's unit comes back when the one in its place fails`() throws {
            try host.run("systemctl enable --now nsd")
            let before = try host.snapshot()
            let (fragment, files) = ("systemctl show --value -p FragmentPath nsd", "systemctl cat nsd")
            let (oldFragment, oldFiles) = (try host.run(fragment), try host.run(files))
            try cluster.addService("nsd", on: "web1", run: "/bin/false")
            #expect(try cluster.deploy().code == 3)
            expect(try host.snapshot().replacing("/var/lib/deptool/apps d 755 0:0 \n", with: ""), is: before)
            #expect(try host.run(fragment) == oldFragment)
            #expect(try host.run(files) == oldFiles)
            #expect(try host.state(of: "nsd") == "active")
            #expect(try host.enablement(of: "nsd") == "enabled")
        }

        @Test func `a failed rollback is reported, and completed as soon as it can be`() throws {
            try cluster.addService("web", on: "web1")
            try cluster.deploy().require(0)
            // With this systemctl, somebody has made a directory of a unit's file when the unit restarts.
            try host.write(
                "/usr/bin/systemctl.new",
                """
                #!/bin/sh
                case "$*" in *"restart "*) [ ! -e /run/broken ] || { cd /etc/systemd/system && rm -f web.service && mkdir -p web.service; };; esac
                exec /usr/bin/systemctl.real "$@"

                """)
            try host.run("touch /run/broken; cd /usr/bin; chmod 755 systemctl.new; cp systemctl systemctl.real; mv systemctl.new systemctl")
            let before = try host.snapshot()
            try cluster.addService("new", on: "web1")
            try cluster.addService("web", on: "web1", run: "/bin/false")

            let broken = try cluster.deploy()

            #expect(broken.code == 4)
            #expect(
                broken.stable.hasSuffix(
                    """
                    Rolling back failed:
                    /etc/systemd/system/web.service is a directory that is not Deptool's, and is in the way of a link.
                    Move /etc/systemd/system/web.service away on the host.
                    unit web.service does not exist
                    The host is in neither its old nor its new state. Remove the obstacle there; when Deptool next \
                    connects (`deptool deploy`, `sync` or `ping`), it tries again to undo this.

                    1 host left broken, in N s.

                    """), "\(broken)")
            #expect(
                broken.text.contains(
                    "\n  web1: BROKEN: unit web.service failed (exit-code, status 1), and rolling back failed\n"))

            try host.run("rm /run/broken && rmdir /etc/systemd/system/web.service")
            let other = try Cluster(site, of: "Bob")
            try other.write("web1/other/file", "")
            try other.deploy().require(1)
            expect(try host.snapshot(), is: before)
            #expect(try host.state(of: "web") == "active")
            try cluster.addService("web", on: "web1", run: "/bin/echo")
            try cluster.deploy().require(0)
        }

        @Test func `a stranger's file at a link's path is left alone`() throws {
            try host.write("/etc/app.conf", "theirs\n")
            try cluster.write("web1/app/app.conf", "ours\n")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.conf": "app.conf"}}"#)
            let before = try host.snapshot()

            let output = try cluster.deploy()

            #expect(output.code == 1)
            expect(
                output.stable.split(separator: "\n\n").suffix(2).joined(separator: "\n\n"),
                is: """
                    web1: /etc/app.conf is a file that is not Deptool's, and differs from the config tree's app/app.conf, \
                    which would take its place.
                    Compare the two. Move /etc/app.conf away on the host, or copy its content into the config tree.

                    Nothing was changed.

                    """)
            expect(try host.snapshot().replacing("/var/lib/deptool/apps d 755 0:0 \n", with: ""), is: before)
        }

        @Test func `a unit that crashes after its start fails the deploy`() throws {
            try cluster.addService("app", on: "web1")
            let unit = "web1/app/systemd/app.service"
            try cluster.edit(unit, replacing: "Type=oneshot\nRemainAfterExit=yes", with: "Type=simple")
            try cluster.edit(unit, replacing: "ExecStart=/bin/true", with: "ExecStart=/bin/sh -c 'sleep 0.1; exit 3'")
            let output = try cluster.deploy()
            #expect(output.code == 3)
            #expect(output.text.contains("\n  web1: rolled back: unit app.service failed (exit-code, status 3)\n"))

            try cluster.edit(unit, replacing: "[Service]", with: "[Service]\nRestart=always\nRestartSec=0")
            let looping = try cluster.deploy()
            #expect(looping.code == 3)
            #expect(
                looping.text.contains(#/\n  web1: rolled back: unit app.service crashed and (is being|was) restarted.*\n/#))
            #expect(try host.links() == "")
        }

        @Test func `a unit that does not exist fails the deploy`() throws {
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["gone.service"]}}"#)
            let output = try cluster.deploy()
            #expect(output.code == 3)
            expect(
                // systemd 252's words.
                output.stable.replacing("Unit file gone.service does not exist.", with: "Unit gone.service does not exist")
                    .split(separator: "\n\n").suffix(2).joined(separator: "\n\n"),
                is: """
                    web1: `systemctl --no-reload enable gone.service` failed with status 1:
                        | Failed to enable unit: Unit gone.service does not exist
                    The previous state is back.

                    Rolled back 1 host, in N s.

                    """)
        }

        @Test func `a unit file may come by a symlink of the manifest`() throws {
            try cluster.write("web1/app/x.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.write(
                "web1/app/manifest.json",
                #"{"systemd": {"units_enabled": ["x.service"]}, "symlinks": {"/usr/local/lib/systemd/system/x.service": "x.service"}}"#)
            // systemd learns of it only by a daemon-reload, which a file in `systemd/` asks for.
            try cluster.write("web1/app/systemd/y.service", "[Service]\nExecStart=/bin/true\n")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "x") == "active")
        }

        @Test func `a full disk leaves the host unchanged`() throws {
            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            // Room for the checkout of one app, not of the other.
            try host.run(
                """
                mkdir /mnt/store && mount -t tmpfs -o size=4m none /mnt/store && cp -a /var/lib/deptool/. /mnt/store/ &&
                mount --bind /mnt/store /var/lib/deptool
                """)
            let before = try host.snapshot()
            try cluster.write("web1/app/small", "small\n")
            try cluster.write("web1/big/large", String(repeating: "x", count: 5 << 20))
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(output.text.contains("web1: not enough space in /var/lib/deptool: 5.2 MB needed, "), "\(output)")
            expect(try host.snapshot(), is: before)

            try cluster.remove("web1/big")
            try cluster.deploy().require(0)
        }
    }
}
