import Foundation
import Model
import TestSupport
import Testing

@testable import Planning

@Suite struct ImportTests {
    private func status(_ mode: UInt32 = 0o644, _ owner: String = "root", _ group: String = "root", size: UInt64 = 1) -> HostSurvey.Status {
        HostSurvey.Status(mode: 0o100000 | mode, size: size, owner: owner, group: group)
    }

    private func found(_ path: String, _ status: HostSurvey.Status? = nil, origin: FoundFile.Origin = .own) throws -> FoundFile {
        FoundFile(path: try AbsolutePath(path), status: status ?? self.status(), origin: origin)
    }

    @Test(arguments: [
        ("/etc/nginx/nginx.conf", "nginx"), ("/etc/systemd/system/nginx.service.d/x.conf", "nginx"),
        ("/etc/systemd/system/shop.service", "shop"),
        ("/etc/systemd/system/worker@.service", "worker"), ("/etc/systemd/system/worker@1.service.d/x.conf", "worker"),
        ("/etc/systemd/system/shop-.service.d/x.conf", "shop"), ("/etc/systemd/system/service.d/x.conf", "systemd"),
        ("/etc/systemd/journald.conf", "systemd"), ("/etc/containers/systemd/web.container", "containers"), ("/etc/cron.d/nginx", "nginx"),
        ("/etc/cron.d/other", "cron"), ("/etc/default/nginx", "nginx"), ("/etc/default/other", "default"),
        ("/etc/logrotate.d/shop.conf", "shop"),
        ("/etc/crontab", "cron"), ("/etc/fstab", "system"), ("/etc/sysctl.d/x.conf", "sysctl"), ("/etc/X Y/x", "system"),
        ("/etc/Big/x", "big"), ("/etc/host.json/x", "system"), ("/etc/apt/sources.list", "apt"), ("/etc/nftables.conf", "nftables"),
    ])
    func `a file belongs to its unit, or to its directory`(path: String, app: String) throws {
        let others = ["/etc/nginx/nginx.conf", "/etc/systemd/system/shop.service"].compactMap { try? AbsolutePath($0) }
        #expect(Grouping(others + [try AbsolutePath(path)]).app(of: try found(path)).text == app)
    }

    @Test func `an environment file belongs to the only unit that reads it`() throws {
        let units = ["/etc/systemd/system/a.service", "/etc/systemd/system/b@.service.d/x.conf", "/etc/systemd/system/c.service"]
        let environment = try [
            (0, "/etc/one.env"), (0, "/etc/two.env"), (1, "/etc/two.env"), (1, "/etc/b-%i.env"), (0, "/etc/x/*.env"), (2, "/etc/gone.env"),
            (0, "/etc/environment"), (0, "relative"), (0, ""), (1, "/etc/b-%%.env"),
        ].map { HostSurvey.EnvironmentFile(unit: try AbsolutePath(units[$0.0]), value: $0.1) }
        let grouping = Grouping(try units.dropLast().map { try AbsolutePath($0) }, environment)
        for (path, app) in [
            ("/etc/one.env", "a"), ("/etc/two.env", "system"), ("/etc/b-1.env", "b"), ("/etc/x/y.env", "a"), ("/etc/gone.env", "system"),
            ("/etc/environment", "system"), ("/etc/x/y", "x"), (units[0], "a"),
        ] { #expect(grouping.app(of: try found(path)).text == app, "\(path)") }
        #expect(grouping.app(of: try found("/etc/x/y.env", origin: .changed(package: "p"))).text == "x")
    }

    @Test func `a file in etc itself belongs to the package that has it`() throws {
        let file = try found("/etc/adduser.conf", origin: .changed(package: "adduser"))
        #expect(Grouping([file.path]).app(of: file).text == "adduser")
    }

    @Test func `files become links unless they need to be copies`() throws {
        let cases: [(String, HostSurvey.Status, Bool)] = [
            ("/etc/x", status(), false), ("/etc/x", status(0o444), false), ("/etc/x", status(0o755), false),
            ("/etc/x", status(0o664), false),
            ("/etc/x", status(0o664, "root", "mail"), true), ("/etc/x", status(0o604, "root", "mail"), true),
            ("/etc/x", status(0o604), false),
            ("/etc/x", status(0o644, "www-data"), true), ("/etc/x", status(0o646), true),
            ("/etc/x", status(0o4755), true), ("/etc/x", status(0o644, "root", "mail"), false), ("/etc/cron.d/x", status(), true),
            ("/etc/fstab", status(), true), ("/etc/bind/named.conf", status(), true), ("/etc/sysctl.d/x.conf", status(), true),
        ]
        for (path, status, isCopy) in cases { #expect(try found(path, status).isCopy == isCopy, "\(path) \(status)") }
    }

    @Test func `known programs have the checks and units of the manual`() throws {
        let manual = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Manual/checks.md"), encoding: .utf8)
        for program in KnownProgram.all {
            for check in program.checks {
                let line = "[" + check.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
                #expect(manual.contains(line), "\(line)")
            }
            if !program.unit.isEmpty { #expect(manual.contains("\"\(program.unit)\""), "\(program.unit)") }
        }
    }

    @Test func `a manifest describes the state of the host`() throws {
        var survey = HostSurvey()
        survey.activity = ["nginx.service": "active", "ssh.service": "active", "down.service": "inactive", "static.service": "active"]
        survey.enablement = ["nginx.service": "enabled", "ssh.service": "enabled", "down.service": "enabled", "static.service": "static"]
        survey.programs = ["/usr/sbin/nginx"]
        func manifest(_ app: String, _ paths: [String], _ content: String = "") throws -> String {
            let app = ImportedApp(try #require(AppName(app)), files: try paths.map { try found($0) })
            return app.manifest(survey) { _ in Array(content.utf8) } ?? ""
        }
        #expect(
            try manifest("ssh", ["/etc/ssh/sshd_config.d/x.conf"]) == """
                {
                  "systemd": {
                    "on_change": {
                      "ssh.service": { "reload": ["etc/ssh/", "manifest.json"] }
                    }
                  },
                  "symlinks": { "/etc/ssh/sshd_config.d/x.conf": "etc/ssh/sshd_config.d/x.conf" }
                }

                """)
        // Neither runs and is enabled.
        #expect(try manifest("own", ["/etc/systemd/system/down.service", "/etc/systemd/system/static.service"]) == "")
        let unit = "/etc/systemd/system/nginx.service"
        #expect(try manifest("nginx", [unit, "/etc/nginx/x"], "[Service]\nExecReload=x\n").contains("reload"))
        #expect(try manifest("nginx", [unit, "/etc/nginx/x"], "[Service]\n").contains("reload") == false)
    }

    @Test func `files made or changed by hand are taken, and those of programs are not`() throws {
        var survey = HostSurvey()
        survey.hasPackages = true
        survey.openDirectories = Set(try ["/etc", "/etc/shop", "/etc/ssh", "/etc/xml", "/etc/lib"].map { try AbsolutePath($0) })
        let files: [(String, isTaken: Bool)] = [
            ("/etc/shop/own", true), ("/etc/shop/own.dpkg-old", false), ("/etc/shop/own~", false), ("/etc/passwd", false),
            ("/etc/resolv.conf", false),
            ("/etc/ssh/ssh_host_rsa_key.pub", false), ("/etc/xml/catalog", false), ("/etc/xml/changed", true),
            ("/etc/shop/unchanged", false),
            ("/etc/shop/copied", false), ("/etc/shop/other", false), ("/opt/x", false), ("/etc/fstab", true),
        ]
        for (path, _) in files {
            let path = try AbsolutePath(path)
            survey.entries.append(HostSurvey.Entry(path: path, shown: path.text, status: status()))
            survey.sums[path] = path.name
        }
        survey.conffiles[try AbsolutePath("/etc/xml/changed")] = HostSurvey.Conffile(package: "xml", md5: "other")
        survey.conffiles[try AbsolutePath("/etc/shop/unchanged")] = HostSurvey.Conffile(package: "shop", md5: "unchanged")
        survey.owners[try AbsolutePath("/etc/shop/other")] = "shop"
        survey.pristine = ["copied"]
        let all = Selection(survey, claimed: [])
        #expect(Set(all.files.map(\.path.text)) == Set(files.filter(\.isTaken).map(\.0)) && all.leftOut == [])
        #expect(Selection(survey, claimed: [try AbsolutePath("/etc/fstab")]).files.count == all.files.count - 1)
        survey.hasPackages = false
        #expect(Selection(survey, claimed: []).files == [])
    }

    @Test func `a symlink is taken or left out with its target`() throws {
        let idle = try found("/etc/systemd/system/README.md")
        let link = FoundFile(path: try AbsolutePath("/etc/shop/link"), target: idle.path, status: status(), origin: .own)
        let app = ImportedApp(try #require(AppName("shop")), files: [link, idle, try found("/etc/shop/own")])
        #expect(app.stored.map(\.path.text) == ["/etc/systemd/system/README.md", "/etc/shop/own"])
        let host = HostTree(host: try #require(Hostname("web1")), id: .of(.tree, []), apps: [])
        let settled = try ImportedApp.settle([app], with: host, HostSurvey()) { _ in [] }
        #expect(settled[0].files.map(\.path.text) == ["/etc/shop/own"])
        #expect(settled[0].leftOut.map(\.path) == ["/etc/shop/link", "/etc/systemd/system/README.md"])
    }

    @Test func `imported apps are valid on any host, and hold only files readable by everybody`() throws {
        var random = Seeded()
        let places = [
            "/etc", "/etc/shop", "/etc/shop/closed", "/etc/systemd/system", "/etc/systemd/system/shop.service.d", "/etc/tmpfiles.d",
            "/etc/sysusers.d",
            "/etc/containers/systemd", "/etc/cron.d", "/etc/nginx", "/etc/Shop", "/etc/shop/.git", "/var/lib/deptool", "/etc/deep/a/b/c",
            "/etc/systemd/system/shop.service", "/etc/secrets", "/opt/x",
        ]
        let names = [
            "shop", "Shop", "shop.service", "shop.timer", "a.conf", "A.conf", "é", "e\u{301}", "manifest.json", "deptool-x.service", ".git",
            "x y",
            "\u{202e}", "web.container", "secrets", "systemd", "host.json", "x.age", "fstab", "README.md", "a\"b\\c",
            String(repeating: "x", count: 255),
        ]
        for _ in 0..<300 {
            var survey = HostSurvey()
            survey.hasPackages = random.int(0...3) > 0
            for place in places where random.int(0...4) > 0 { survey.openDirectories.insert(try AbsolutePath(place)) }
            for ancestor in ["/etc", "/opt", "/etc/systemd", "/etc/containers"] {
                survey.openDirectories.insert(try AbsolutePath(ancestor))
            }
            var seen: Set<AbsolutePath> = []
            for _ in 0..<random.int(0...30) {
                let path = try AbsolutePath("\(random.pick(places))/\(random.pick(names))")
                guard seen.insert(path).inserted else { continue }
                func status() -> HostSurvey.Status {
                    HostSurvey.Status(
                        mode: random.pick([0o100000, 0o120000, 0o100000, 0o010000, 0o140000])
                            | random.pick([0o644, 0o600, 0o755, 0o640, 0o7777, 0o444]),
                        size: random.pick([0, 1, ImportLimits.file, ImportLimits.file + 1, .max]),
                        owner: random.pick(["root", "UNKNOWN", "x", "1000", "../x"]),
                        group: random.pick(["root", "root", "mail", ""]))
                }
                var entry = HostSurvey.Entry(path: path, shown: path.text, status: status())
                if entry.status.isSymlink, let target = random.bool() ? seen.randomElement(using: &random) : try AbsolutePath("/dev/null") {
                    entry.target = HostSurvey.Target(path: target, status: status())
                }
                survey.entries.append(entry)
                if random.bool() { survey.activity[path.name] = random.pick(["active", "inactive", ""]) }
                if random.bool() { survey.enablement[path.name] = random.pick(["enabled", "static"]) }
                if random.int(0...5) == 0 { survey.mountPoints.insert(path) }
            }
            let selection =
                random.bool()
                ? Selection(survey, claimed: [])
                : Selection(survey, below: [try AbsolutePath("/etc"), try AbsolutePath("/opt")], claimed: [])
            var apps = ImportedApp.grouped(selection)
            for index in apps.indices { apps[index].dropClashes() }
            let host = try #require(Hostname("web1"))
            let existing = HostTree(host: host, id: .of(.tree, []), apps: [try app("taken", ["file": ""])])
            let read = Set(apps.flatMap(\.stored).map(\.path))
            let settled = try ImportedApp.settle(apps, with: existing, survey) { _ in [] }
            for app in settled {
                // Files that were not read have no content.
                #expect(app.stored.allSatisfy { read.contains($0.path) }, "seed \(random.seed)")
                for file in app.files {
                    #expect(
                        file.status.mode & 0o004 != 0 && survey.isPublic(file.path, file.status) && file.status.size <= ImportLimits.file,
                        "\(file) seed \(random.seed)")
                    #expect(app.stored.contains { $0.source == app.source(of: file) }, "\(file) seed \(random.seed)")
                }
                let sources = app.stored.map { $0.source.text.lowercased() }
                #expect(Set(sources).count == sources.count, "seed \(random.seed)")
            }
        }
    }
}
