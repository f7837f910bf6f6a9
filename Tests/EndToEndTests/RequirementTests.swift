import Testing

extension EndToEnd {
    /// Requirements of apps, checked by a deploy before anything changes, and by `doctor`.
    @Suite final class RequirementTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        private func require(_ json: String) throws {
            try cluster.write("web1/app/manifest.json", #"{"requires": \#(json), "symlinks": {"/etc/app.conf": "app.conf"}}"#)
            try cluster.write("web1/app/app.conf", "# \(json)\n")
        }

        private func doctor() throws -> String {
            try cluster.deptool("doctor", "web1", "--ssh-config", cluster.sshConfiguration).text
        }

        @Test(arguments: [Site.Flavour.debian12, .debian13])
        func `a Debian host that lacks requirements is not changed, and the error lists them`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            let (version, other) = flavour == .debian12 ? ("252", "252") : ("257", "257")
            // Removed, but not its configuration files.
            try host.run("SUDO_FORCE_REMOVE=yes dpkg --remove sudo 2>&1")
            try require(
                """
                {"programs": ["sh", "/bin/dd", "nosuch", "/opt/nosuch"], "packages": ["coreutils", "coreutils (>= 5.0)", "coreutils (<< 5.0)", \
                "sudo", "nosuch"], "systemd": 9000}
                """)
            let output = try cluster.deploy().require(1)
            let lacks = """
                there is no program nosuch
                there is no program /opt/nosuch
                the package coreutils is VERSION, and has to be << 5.0
                the package sudo is not installed
                the package nosuch is not installed
                systemd is \(version), and has to be 9000 or later
                """.replacing("VERSION", with: try host.run("dpkg-query -W coreutils | cut -f 2").dropLast())
            #expect(
                output.text.contains(
                    "web1: the host lacks what app requires:\n" + lacks.split(separator: "\n").map { "    | \($0)\n" }.joined()
                        + "\nNothing was changed.\n"), "\(output)")
            #expect(
                output.text.contains(
                    "        require program sh, program /bin/dd, program nosuch, program /opt/nosuch, package coreutils, package coreutils (>= 5.0), "
                        + "package coreutils (<< 5.0), package sudo, package nosuch, systemd 9000 or later before anything changes\n"))
            #expect(try host.run("ls /etc/app.conf 2>&1 || true").contains("No such file"))
            let found = try doctor()
            for line in lacks.split(separator: "\n") { #expect(found.contains("app: \(line)"), "\(found)") }

            try require(#"{"programs": ["sh"], "packages": ["coreutils (>= 5.0)", "systemd (>= \#(other))"], "systemd": \#(version)}"#)
            try cluster.deploy().require(0)
            #expect(try doctor().contains("everything that the apps require is there"))
        }

        @Test(arguments: [Site.Flavour.busybox, .readonly])
        func `requirements are checked without Debian's dpkg`(flavour: Site.Flavour) throws {
            _ = try site.boot("web1", flavour)
            try require(#"{"programs": ["sh", "dd"]}"#)
            #expect(try doctor().contains("everything that the apps require is there"))
            try require(#"{"programs": ["nosuch"], "packages": ["nginx"], "systemd": 9000}"#)
            let found = try doctor()
            // busybox has a dpkg of its own.
            let package =
                flavour == .busybox
                ? "the package nginx is not installed" : "the host has no dpkg, so nothing shows whether the package nginx is installed"
            for line in ["no program nosuch", package, "and has to be 9000 or later"] {
                #expect(found.contains(line), "\(found)")
            }
        }
    }
}
