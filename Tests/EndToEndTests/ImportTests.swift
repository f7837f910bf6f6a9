import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Taking a host that has grown for years under management.
    @Suite final class ImportTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            cluster.environment["NO_COLOR"] = "1"
        }

        private func take(_ arguments: String...) throws -> Output {
            try Program(
                [Tools.deptool, "import", "--ssh-config", cluster.sshConfiguration] + arguments, in: cluster.directory,
                environment: cluster.environment
            ).finish(within: .seconds(120))
        }

        /// Typical manual changes to a host over some years.
        private static let years = #"""
            set -e
            printf '# by hand\n' >>/etc/nginx/nginx.conf
            printf '# by hand\n' >>/etc/ssh/sshd_config
            printf 'server { listen 8081; root /var/www/html; }\n' >/etc/nginx/sites-available/blog
            ln -s ../sites-available/blog /etc/nginx/sites-enabled/blog
            mkdir -p /etc/systemd/system/nginx.service.d /etc/shop /etc/cron.d /etc/cron.daily /etc/logrotate.d
            printf '[Service]\nLimitNOFILE=4096\n' >/etc/systemd/system/nginx.service.d/limits.conf
            printf '[Service]\nEnvironmentFile=/etc/shop/shop.conf\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/shop.service
            printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/worker@.service
            printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >/etc/systemd/system/report.service
            printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' >/etc/systemd/system/report.timer
            printf 'PORT=1\n' >/etc/shop/shop.conf
            printf 'hidden\n' >/etc/shop/password; chmod 600 /etc/shop/password
            mkdir -m 700 /etc/shop/closed; printf 'hidden, too\n' >/etc/shop/closed/key
            printf 'mail\n' >/etc/shop/for-mail; chown root:mail /etc/shop/for-mail; chmod 664 /etc/shop/for-mail
            printf '/etc/shop/*.log {\n}\n' >/etc/logrotate.d/shop
            printf '#!/bin/sh\n' >/etc/cron.daily/cleanup; chmod 755 /etc/cron.daily/cleanup
            printf '0 3 * * * root /bin/true\n' >/etc/cron.d/backup
            printf 'net.ipv4.ip_forward=0\n' >/etc/sysctl.d/90-own.conf
            printf 'inet_interfaces = loopback-only\n' >>/etc/postfix/main.cf
            printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/opt/linked.service
            mkfifo /etc/shop/fifo
            printf x >"$(printf '/etc/shop/a\nb')"; printf x >"$(printf '/etc/shop/\377')"; printf "it's" >"/etc/shop/it's \$(x) \\ \"q\""
            printf 1 >/etc/shop/same; printf 2 >/etc/shop/Same
            truncate -s 50M /etc/shop/huge; ln -s /nowhere /etc/shop/nowhere
            chmod 755 /etc/systemd/system/report.service
            systemctl daemon-reload
            systemctl -q enable --now nginx postfix shop report.timer worker@1 /opt/linked.service
            systemctl restart nginx postfix
            """#

        private static let units = ["nginx", "postfix", "shop", "report.timer", "worker@1", "linked", "ssh"]

        /// The view of programs: every file below /etc behind all symlinks.
        private func seen(_ host: Host) throws -> String {
            try host.run(
                "find -L /etc -type f -not -name mtab -exec sha256sum {} + 2>/dev/null | LC_ALL=C sort -k 2; systemctl cat \(Self.units.joined(separator: " "))"
            )
        }

        /// All of the operator's files, with their contents.
        private func tree() throws -> String { try cluster.run("find prod -type f -exec sha256sum {} + | sort -k 2") }

        @Test(arguments: [Site.Flavour.programs, .programs13])
        func `a grown host is managed after two commands, and nothing restarts`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try host.run(Self.years)
            let before = try (host.snapshot(), host.units(), host.paths(), seen(host))
            let runs = try Self.units.map(host.invocation)

            let list = try take("web1", "--list").require(0)
            #expect(try tree() == "")
            let output = try take("web1").require(0)
            #expect(try host.snapshot() == before.0)
            #expect(try host.units() == before.1)
            #expect(try host.paths() == before.2)

            for line in [
                "    /etc/ssh/sshd_config  changed, of openssh-server\n",
                "    /etc/nginx/nginx.conf                            changed, of nginx-common\n",
                "    /etc/nginx/sites-enabled/blog                    of no package; leads to /etc/nginx/sites-available/blog\n",
                "    left out /etc/shop/a^Jb: Deptool has no such names: it has a control character\n",
                "    left out /etc/shop/closed/key: not everybody may read it (0644 root:root); if it is a secret: deptool secret set web1/shop/key\n",
                "    left out /etc/shop/fifo: neither a file nor a symlink to one\n",
                "    left out /etc/shop/huge: too large (52.4 MB of at most 4.1 MB)\n",
                "    left out /etc/shop/password: not everybody may read it (0600 root:root); if it is a secret: deptool secret set web1/shop/password\n",
                "    left out /etc/shop/same: a Mac cannot distinguish it from /etc/shop/Same\n",
                "    left out /etc/shop/\u{fffd}: Deptool has no such names: it is not UTF-8\n",
                "    left out /etc/systemd/system/report.service: a deploy places files of systemd/ with mode 0644 for root, and this one has 0755 root:root; change it on the host first\n",
            ] {
                #expect(output.text.contains(line), "\(line)\(output)")
                // A list also shows which of two conflicting files is left out.
                #expect(list.text.contains(line), "\(line)\(list)")
            }
            for text in ["hidden", "hidden, too"] {
                #expect(try cluster.run("grep -rlx '\(text)' . || true") == "")
            }
            #expect(
                try cluster.read("web1/nginx/manifest.json") == """
                    {
                      "systemd": {
                        "units_enabled": ["nginx.service"],
                        "on_change": {
                          "nginx.service": { "reload": ["etc/nginx/", "manifest.json"] }
                        }
                      },
                      "symlinks": {
                        "/etc/nginx/nginx.conf": "etc/nginx/nginx.conf",
                        "/etc/nginx/sites-available/blog": "etc/nginx/sites-available/blog",
                        "/etc/nginx/sites-enabled/blog": "etc/nginx/sites-available/blog"
                      },
                      "checks": [["/usr/sbin/nginx", "-t", "-q"]]
                    }

                    """)
            #expect(
                try cluster.read("web1/shop/manifest.json") == #"""
                    {
                      "systemd": { "units_enabled": ["shop.service"] },
                      "symlinks": {
                        "/etc/shop/Same": "etc/shop/Same",
                        "/etc/shop/it's $(x) \\ \"q\"": "etc/shop/it's $(x) \\ \"q\"",
                        "/etc/shop/shop.conf": "etc/shop/shop.conf"
                      },
                      "copies": {
                        "/etc/shop/for-mail": { "source": "etc/shop/for-mail", "mode": "0664", "group": "mail" }
                      }
                    }

                    """#)
            #expect(try cluster.read("web1/worker/manifest.json").contains(#"["worker@1.service"]"#))
            #expect(try cluster.read("web1/linked/manifest.json").contains(#"["linked.service"]"#))
            #expect(try cluster.read("web1/report/manifest.json").contains(#"["report.timer"]"#))

            try cluster.deptool("plan").require(0)
            let deploy = try cluster.deploy().require(0)
            #expect(try Self.units.map(host.invocation) == runs, "\(deploy)")
            expect(try seen(host), is: before.3)
            try cluster.deptool("verify", "--exit-code", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(try cluster.deptool("plan").require(0).text == nothingToDo)

            // From here on, it is a host like any other.
            try cluster.edit("web1/nginx/etc/nginx/sites-available/blog", replacing: "8081", with: "8082")
            #expect(try cluster.deptool("plan").text.contains("reload unit nginx.service"))
            try cluster.deploy().require(0)
            #expect(try host.run("ss -Hltn sport = 8082").contains("8082"))
            #expect(try host.invocation(of: "nginx") == runs[0])
            #expect(try take("web1").require(0).text.hasSuffix("that the config tree lacks.\n"))
            try host.write("/etc/later/later.conf", "later")
            try host.write("/etc/shop/later.conf", "later")
            let later = try take("web1").require(0)
            #expect(later.text.contains("Imported 1 file of web1 into 1 app"), "\(later)")
            #expect(later.text.contains("left out /etc/shop/later.conf: the config tree has an app 'shop' already"), "\(later)")
            try cluster.deploy().require(0)
            #expect(try Self.units.map(host.invocation) == runs)
        }

        @Test func `a unit and named files each become an app`() throws {
            let host = try site.boot("web1", .programs)
            try host.run(Self.years)
            try take("web1", "--unit", "shop.service").require(0)
            #expect(try cluster.run("ls prod/web1; cat prod/web1/shop/etc/shop/shop.conf") == "shop\nPORT=1\n")
            let files = try take("web1", "/etc/nginx/", "/etc/hosts", "--app", "web").require(0)
            #expect(files.text.contains("    /etc/nginx/mime.types"), "\(files)")
            #expect(files.text.contains("unchanged, of nginx-common"), "\(files)")
            let before = try tree()
            for (arguments, message) in [
                (["/etc/hosts", "--app", "web"], "prod/web1/web is there already"),
                (["/etc/none", "--app", "x"], "web1 has no file /etc/none"),
                (
                    ["/etc/hosts", "--app", "x"],
                    "nothing to import: every file there is left out\nx\n    left out /etc/hosts: the config tree has it already\n"
                ),
                (
                    ["/etc/shop/huge", "--app", "x"],
                    "nothing to import: every file there is left out\nx\n    left out /etc/shop/huge: too large (52.4 MB of at most 4.1 MB)\n"
                ),
                (["/etc/opt", "--app", "x"], "web1 has no file /etc/opt, nor any below it"),
                (["--unit", "nosuch.service"], "Error: web1 has no unit 'nosuch.service'\n"),
                (["--unit", "nginxx.service"], "Error: web1 has no unit 'nginxx.service'\nDid you mean 'nginx.service'?\n"),
                (["--unit", "nginxx.service", "--list"], "Error: web1 has no unit 'nginxx.service'\n"),
                (["--unit", "shop.service"], "Error: the config tree has shop.service of web1 already, in the app 'shop'\n"),
                (
                    ["--unit", "systemd-journald.service"],
                    "Error: nothing to import for systemd-journald.service on web1: it has only what its package has\n"
                ),
                (["--json"], "'--json' needs '--list'."),
                (["/etc/../etc/hosts", "--app", "x"], "'/etc/../etc/hosts' is no path of a host"), (["/etc/hosts"], "Name the new app"),
                (["/var/lib/deptool/store", "--app", "x"], "is Deptool's own"), (["--app", "x"], "'--app' needs paths or '--unit'."),
                (["/etc/hosts", "--app", "a/b"], "'a/b' is not the name of an app"), (["--unit", "x"], "'x' is not the name of a unit"),
            ] {
                let output = try Program(
                    [Tools.deptool, "import", "--ssh-config", cluster.sshConfiguration, "web1"] + arguments, in: cluster.directory,
                    environment: cluster.environment
                ).finish().require(1)
                #expect((output.errors + output.text).contains(message), "\(output)")
                #expect(try tree() == before)
            }
            try cluster.deptool("plan").require(0)
            #expect(try cluster.run("ls -A prod") == "web1\n")
            try cluster.run("mkdir other")
            let twice = try take("web1", "--cluster", "other").require(1)
            #expect(twice.errors.contains("Error: the host 'web1' is in two clusters"), "\(twice)")
            #expect(try cluster.run("ls -A other") == "")
        }

        @Test func `an environment file belongs to its unit, and the list is also JSON`() throws {
            let host = try site.boot()
            try host.run(
                #"""
                cd /etc/systemd/system; mkdir -p /etc/settings queue@.service.d
                printf '[Service]\nEnvironmentFile=-/etc/settings/shop.env\nEnvironmentFile=/etc/settings/common.env\nExecStart=/bin/true\n' >shop.service
                printf '[Service]\n  EnvironmentFile= /etc/queue-%%i.env\nEnvironmentFile=/etc/settings/common.env\nExecStart=/bin/true\n' >queue@.service
                printf '[Service]\nEnvironmentFile=/etc/settings/q*.env\nEnvironmentFile=/etc/environment\n' >queue@.service.d/more.conf
                for f in settings/shop settings/common settings/queue queue-1 queue-2; do echo X=1 >/etc/$f.env; done
                echo KEY=hidden >/etc/queue-3.env; chmod 600 /etc/queue-3.env; echo Y=1 >/etc/environment
                systemctl daemon-reload
                """#)
            let object = try #require(Schema().objects(take("web1", "--list", "--json").require(0).text).first)
            let apps = try #require(object["apps"] as? [[String: Any]])
            func files(_ app: String, _ list: String) -> [String] {
                let found = apps.first { $0["app"] as? String == app }
                return (found?[list] as? [[String: Any]] ?? []).compactMap { $0["path"] as? String }
            }
            #expect(files("shop", "files") == ["/etc/settings/shop.env", "/etc/systemd/system/shop.service"])
            #expect(
                files("queue", "files") == [
                    "/etc/queue-1.env", "/etc/queue-2.env", "/etc/settings/queue.env", "/etc/systemd/system/queue@.service",
                    "/etc/systemd/system/queue@.service.d/more.conf",
                ])
            #expect(files("queue", "left_out") == ["/etc/queue-3.env"])
            #expect(files("settings", "files") == ["/etc/settings/common.env"] && files("system", "files").contains("/etc/environment"))
            try take("web1", "--unit", "shop.service").require(0)
            #expect(try cluster.read("web1/shop/etc/settings/shop.env") == "X=1\n")
            #expect(try cluster.run("ls prod/web1") == "shop\n")
            #expect(
                try Schema().objects(take("web1", "--unit", "nosuch.service", "--list", "--json").require(1).text).first?["type"] as? String
                    == "error")
        }

        @Test func `files of any mode and owner are taken over unchanged, or left out`() throws {
            let host = try site.boot()
            // All permissions for root, and some of them, with the special bits, for others.
            try host.run(
                #"""
                mkdir /etc/kinds; cd /etc/kinds
                make() { echo "$1 $2" >"$3"; chown "$2" "$3"; chmod "$1" "$3"; }
                for u in 0 2 4 5 6 7; do for g in 0 1 2 3 4 5 6 7; do for o in 0 1 2 3 4 5 6 7; do
                    make $u$g$o root:root $u$g$o-root
                    case $g$o in 04|[4-7][4-7]) for owner in root:mail daemon:daemon 4242:root root:4242; do make $u$g$o $owner "$u$g$o-$owner"; done;; esac
                done; done; done
                for mode in 1644 2644 2755 4755 6755 7777; do make $mode root:root $mode-root; make $mode daemon:mail $mode-daemon; done
                for mode in 600 640 644 664 666 755 444; do for owner in root:root root:mail daemon:daemon; do
                    make $mode $owner "/etc/systemd/system/kind-$mode-${owner#*:}.service"
                done; done
                """#)
            // The access of each kind of user to each file.
            let allowed = #"""
                for user in nobody daemon mail; do setpriv --reuid=$user --regid=$user --clear-groups sh -c 'cd /etc/kinds; for f in * /etc/systemd/system/kind-*; do
                    s="$1 $f"; for t in r w x; do test -$t "$f" && s="$s $t"; done; [ ! -r "$f" ] || s="$s $(cat "$f")"; echo "$s"; done' - $user; done
                for f in /etc/kinds/*; do [ -u $f ] && echo "$f u"; [ -g $f ] && echo "$f g"; done; true
                """#
            let before = try host.run(allowed)
            let output = try take("web1", "/etc/kinds", "/etc/systemd/system", "--app", "kinds").require(0)
            #expect(output.text.contains("left out /etc/kinds/644-root:4242: its owner or group has no name"), "\(output)")
            let deploy = try cluster.deploy()
            #expect(deploy.code == 0, "\(deploy)")
            expect(try host.run(allowed), is: before)
            #expect(try Int(host.run("find /etc/kinds -type l | wc -l").trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 20)
        }

        @Test func `a taken over container keeps running`() throws {
            let host = try site.boot("web1", .podman)
            try host.run(
                #"""
                tar -C / -c usr/bin/busybox | podman import -q - localhost/box
                printf '[Container]\nImage=localhost/box\nNetwork=none\nExec=/usr/bin/busybox sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
                    >/etc/containers/systemd/box.container
                printf '[Volume]\n' >/etc/containers/systemd/data.volume
                systemctl daemon-reload
                systemctl start box
                """#)
            let (run, before) = try (host.invocation(of: "box"), host.snapshot())
            try take("web1").require(0)
            #expect(try host.snapshot() == before)
            #expect(try cluster.read("web1/containers/manifest.json").contains(#""units_enabled": ["box.service"]"#))
            #expect(try cluster.run("ls prod/web1/containers/quadlets").contains("box.container\ncontainer.d\ndata.volume\n"))
            try cluster.deploy().require(0)
            #expect(try host.invocation(of: "box") == run)
            try cluster.deptool("verify", "--exit-code", "--ssh-config", cluster.sshConfiguration).require(0)
        }

        @Test(arguments: [Site.Flavour.busybox, .readonly])
        func `files of a host without dpkg are taken over`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try host.run(
                "mkdir -p /etc/shop && printf 'one\\n' >/etc/shop/shop.conf && printf 's' >/etc/shop/key && chmod 600 /etc/shop/key && ln -s shop.conf /etc/shop/link"
            )
            let before = try host.snapshot()
            let output = try take("web1", "/etc/shop", "--app", "shop").require(0)
            #expect(try host.snapshot() == before)
            expect(
                output.text,
                is: """
                    shop
                        /etc/shop/link       of no package; leads to /etc/shop/shop.conf
                        /etc/shop/shop.conf  of no package
                        left out /etc/shop/key: not everybody may read it (0600 root:root); if it is a secret: deptool secret set web1/shop/key

                    Imported 2 files of web1 into 1 app in prod/web1. `deptool plan` shows what the first deploy does.

                    """)
            try cluster.deploy().require(0)
            #expect(try host.run("cat /etc/shop/link; readlink /etc/shop/shop.conf").hasPrefix("one\n/var/lib/deptool/"))
            let all = try take("web1", "--list").require(0)
            #expect(all.errors.contains("web1 has no dpkg"), "\(all)")
            #expect(!all.text.contains("/etc/") || all.text.contains("masked"), "\(all)")
        }

        @Test func `import works over sudo, and to a host with another name`() throws {
            let host = try site.boot()
            try host.run("printf 'one\\n' >/etc/own.conf; echo other >/etc/hostname; hostname other")
            try cluster.configure(("User root", "User operator"))
            try take("web1", "/etc/own.conf", "--app", "own").require(0)
            #expect(try cluster.read("web1/host.json") == "{ \"hostname\": \"other\" }\n")
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/own.conf") == "one\n")
            try host.write("/etc/sudoers.d/operator", "operator ALL=(ALL) ALL\n")
            let output = try take("web1", "/etc/own.conf", "--app", "other").require(1)
            #expect(output.errors.contains("Error: web1: sudo"), "\(output)")
            try host.run("echo operator:letmein | chpasswd")
            let asked = try Program(
                [
                    Tools.deptool, "import", "--ssh-config", cluster.sshConfiguration, "web1", "/etc/own.conf", "/etc/hosts", "--app",
                    "other",
                ],
                in: cluster.directory, environment: cluster.environment, console: .terminal)
            try asked.expect("Password of operator for sudo on web1")
            asked.type(line: "letmein")
            let taken = try asked.finish().require(0)
            #expect(taken.text.contains("left out /etc/own.conf: the config tree has it already"), "\(taken)")
            #expect(taken.text.contains("Imported 1 file of web1 into 1 app"), "\(taken)")
        }

        @Test(arguments: [Int32(SIGINT), SIGTERM, SIGKILL])
        func `an interrupted import leaves nothing in the config tree`(signal: Int32) throws {
            let host = try site.boot()
            try host.run("mkdir /etc/own; echo one >/etc/own/file; mv /usr/bin/stat /usr/bin/stat.real")
            // Waits for a signal that never comes.
            try host.run("printf '#!/bin/sh\\ntouch /run/reached\\nexec sleep 1000\\n' >/usr/bin/stat; chmod 755 /usr/bin/stat")
            let program = try Program(
                [Tools.deptool, "import", "--ssh-config", cluster.sshConfiguration, "web1", "/etc/own", "--app", "own"],
                in: cluster.directory, environment: cluster.environment)
            try host.wait(for: "[ -e /run/reached ]")
            program.signal(signal)
            #expect(try program.finish().code == (signal == SIGKILL ? 128 + 9 : 130))
            #expect(try cluster.run("ls -A prod") == "")
        }

        /// Programs of the host that answer with this instead, and the exit code; `$k` is the key of the pieces.
        private static let lies: [(answer: String, code: Int32?)] = [
            // Endless, and with many pieces.
            (#"yes "$k file 81a4 1 root root /etc/x""#, 1), ("yes", 1), (#"echo "$k file 81a4""#, 1), (#"echo "$k word x""#, 1),
            // Names that lead elsewhere, and false sizes.
            (#"echo "$k file 81a4 1 root root /etc/own/../../../../tmp/evil""#, 0), (#"echo "$k file 81a4 1 root root ../evil""#, 0),
            (#"echo "$k file 81a4 99999999999999999999 root root /etc/own/x""#, 1), (#"echo "$k file 81a4 7 root root /etc/own/x""#, 0),
            (#"printf "$k file 81a4 1 root root /etc/own/\033[2J\n""#, 0),
            // A whole answer, if the rest comes later.
            (#"echo "$k end""#, nil),
            (#"echo "$k file 81a4 1 ../root root /etc/own/x""#, 0), (#"echo "$k file 81a4 1 root root /etc/own/file/x""#, 0),
        ]

        @Test func `a file with other content than announced, or endless, is not written`() throws {
            let host = try site.boot()
            try host.run("mkdir /etc/own; echo one >/etc/own/file; mv /usr/bin/head /usr/bin/head.real")
            for (lie, message) in [
                ("yes", "Error: web1: sent something other"), ("printf 'one\\ntwo'", "Error: nothing to import"),
                ("false", "Error: nothing to import"),
                ("kill -9 $PPID", "Error: web1: "),
            ] {
                try host.run("printf '#!/bin/sh\\n%s\\n' \"\(lie)\" >/usr/bin/head; chmod 755 /usr/bin/head".replacing("$", with: "\\$"))
                let output = try take("web1", "/etc/own", "--app", "own").require(1)
                #expect(output.errors.contains(message), "\(lie): \(output)")
                #expect(try cluster.run("ls -A prod") == "")
            }
        }

        @Test func `a lying host can add only new apps to the tree`() throws {
            let host = try site.boot()
            try host.run("mkdir /etc/own; echo one >/etc/own/file; mv /usr/bin/stat /usr/bin/stat.real")
            for (lie, code) in Self.lies {
                try host.run(
                    "cat >/usr/bin/stat <<'END'\n#!/bin/sh\nk=$K\n/usr/bin/stat.real \"$@\"\n[ \"$1\" = -c ] && case $* in */etc/own/file*) \(lie);; esac\nEND\nchmod 755 /usr/bin/stat"
                )
                let output = try take("web1", "/etc/own", "--app", "own")
                #expect(output.code == code ?? (output.code == 0 ? 0 : 1), "\(lie): \(output)")
                #expect(!output.text.contains("\u{1b}"))
                let files = try cluster.run("find . -newer .gitconfig -type f -not -path './.deptool/*' -not -path './.local/*' | sort")
                if output.code == 0 {
                    #expect(files.contains("./prod/web1/own/etc/own/file\n"), "\(lie): \(files)")
                    #expect(files.split(separator: "\n").allSatisfy { $0.hasPrefix("./prod/web1/own/") }, "\(lie): \(files)")
                    try cluster.deptool("plan").require(0)
                    try cluster.remove("web1")
                } else {
                    #expect(!files.contains("prod"), "\(lie): \(files)")
                }
                #expect(try cluster.run("ls -A prod") == "")
            }
        }
    }
}
