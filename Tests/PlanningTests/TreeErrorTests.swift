import Model
import TestSupport
import Testing

@testable import Planning

@Suite struct TreeErrorTests {
    @Test func `a tree with every feature is valid`() throws {
        try tree([
            "web": [
                "manifest.json": manifest(units: ["web.service"], links: ["/etc/web": "conf", "/etc/tmpfiles.d/web2.conf": "conf/a"]),
                "conf/a": "", "systemd/web.service": "", "systemd/web.service.d/a.conf": "", "sysusers/web.conf": "",
                "tmpfiles/web.conf": "", "quadlets/db.container": "", "quadlets/db.container.d/x.conf": "", "deep/er/still": "",
            ],
            "other": ["systemd/web.service.d/b.conf": "", "systemdx/a/b/c": ""],
        ]).validate()
        try tree([:]).validate()
    }

    @Test func `a link of two apps is refused`() throws {
        #expect(
            try problem([
                "a": ["manifest.json": manifest(links: ["/etc/x": "f"]), "f": ""],
                "b": ["manifest.json": manifest(links: ["/etc/x": "g"]), "g": ""],
            ])
                == "web1/b/manifest.json: the link '/etc/x' is also claimed by the app 'a'")
        #expect(
            try problem(["a": ["systemd/x.service": ""], "b": ["systemd/x.service": ""]])
                == "web1/b/systemd/x.service: the link '/etc/systemd/system/x.service' is also claimed by the app 'a'")
        #expect(
            try problem(["a": ["systemd/x.service.d/1.conf": ""], "b": ["systemd/x.service.d/1.conf": ""]])
                == "web1/b/systemd/x.service.d/1.conf: the link '/etc/systemd/system/x.service.d/1.conf' is also claimed by the app 'a'")
    }

    @Test func `more files than can be listed are refused`() throws {
        func host(_ count: Int) throws -> HostTree {
            let id = ObjectID.of(.blob, [])
            let files = try (100_000_000..<100_000_000 + count).map {
                FileEntry(path: try RelativePath("some/where/\($0 / 1000)/a-file-with-a-name-\($0).txt"), isExecutable: false, id: id)
            }
            return HostTree(
                host: try hostname("web1"), id: id,
                apps: [AppTree(name: try #require(AppName("app")), id: id, manifest: Manifest(), files: files)])
        }
        try host(300_000).validate()
        let many = try host(600_000)
        do throws(TreeError) {
            try many.validate()
            Issue.record("600,000 files are not too many")
        } catch {
            #expect(error.place == "web1")
            #expect(error.phrase.hasPrefix("600000 files are too many for one host: their names take "))
        }
    }

    @Test func `a link that both a manifest and a file define is refused`() throws {
        #expect(
            try problem(["a": ["manifest.json": manifest(links: ["/etc/tmpfiles.d/a.conf": "f"]), "f": "", "tmpfiles/a.conf": ""]])
                == "web1/a/manifest.json: the link '/etc/tmpfiles.d/a.conf' is listed twice")
    }

    @Test func `a unit of two apps is refused`() throws {
        #expect(
            try problem(["a": ["manifest.json": manifest(units: ["x.service"])], "b": ["manifest.json": manifest(units: ["x.service"])]])
                == "web1/b/manifest.json: the unit 'x.service' is also enabled by the app 'a'")
    }

    @Test func `a link below another is refused`() throws {
        #expect(
            try problem([
                "a": ["manifest.json": manifest(links: ["/etc/x/y/z": "f"]), "f": ""],
                "b": ["manifest.json": manifest(links: ["/etc/x": "d"]), "d/f": ""],
            ])
                == "web1/a/manifest.json: the link '/etc/x/y/z' would lie behind the link '/etc/x' of the app 'b'")
        #expect(
            try problem(["a": ["manifest.json": manifest(links: ["/etc/x": "d", "/etc/x-y": "d", "/etc/x/y": "d"]), "d/f": ""]])
                == "web1/a/manifest.json: the link '/etc/x/y' would lie behind the link '/etc/x' of the app 'a'")
        #expect(
            try problem(["a": ["manifest.json": manifest(links: ["/etc/tmpfiles.d": "d"]), "d/f": ""], "b": ["tmpfiles/b.conf": ""]])
                == "web1/b/manifest.json: the link '/etc/tmpfiles.d/b.conf' would lie behind the link '/etc/tmpfiles.d' of the app 'a'")
    }

    @Test(arguments: ["g", "conf/b", "con", "conf/a/b", "Conf"])
    func `a link to nothing is refused`(source: String) throws {
        #expect(
            try problem(["a": ["manifest.json": manifest(links: ["/etc/x": source]), "conf/a": "", "config": ""]])
                == "web1/a/manifest.json: the link '/etc/x' points to '\(source)', which the app does not have")
    }

    @Test(arguments: [
        ("/etc/systemd/system/x.service", "systemd"), ("/etc/systemd/system", "systemd"), ("/etc/systemd/system/a/b/c", "systemd"),
        ("/etc/sysusers.d/x.conf", "sysusers"), ("/etc/containers/systemd/x.container", "quadlets"),
        ("/etc/systemd/system/\u{301}x.service", "systemd"),
    ])
    func `a link into a directory with links of Deptool is refused`(path: String, instead: String) throws {
        #expect(
            try problem(["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]])
                == "web1/a/manifest.json: the link '\(path)' is in a directory that Deptool manages; put the file into the app's '\(instead)/' instead"
        )
    }

    @Test(arguments: ["/var/lib/deptool", "/var/lib/deptool/apps/x/current", "/var/lib/deptool/\u{301}x"])
    func `a link into Deptool's own directory is refused`(path: String) throws {
        #expect(
            try problem(["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]])
                == "web1/a/manifest.json: the link '\(path)' is in Deptool's own directory")
    }

    @Test(arguments: ["/var", "/var/lib"])
    func `a link in place of a directory above Deptool's own is refused`(path: String) throws {
        #expect(
            try problem(["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]])
                == "web1/a/manifest.json: the link '\(path)' would be in place of a directory that holds Deptool's own, /var/lib/deptool")
    }

    @Test(arguments: [
        ("systemd/a/x.conf", "'systemd/' holds files, and directories 'NAME.d' with files; nothing deeper"),
        ("systemd/x.service.d/a/b", "'systemd/' holds files, and directories 'NAME.d' with files; nothing deeper"),
        ("quadlets/a/x", "'quadlets/' holds files, and directories 'NAME.d' with files; nothing deeper"),
        ("sysusers/a.d/x", "'sysusers/' holds files, no directories"),
        ("tmpfiles/a/x", "'tmpfiles/' holds files, no directories"),
        ("cron/a/x", "'cron/' holds files, no directories: those of /etc/cron.d; give it another name if it is something else"),
        (
            "networkd/a.network.d/b/x",
            "'networkd/' holds files, and directories 'NAME.d' with files; nothing deeper: those of /etc/systemd/network; "
                + "give it another name if it is something else"
        ),
    ])
    func `a directory where only files are linked is refused`(path: String, phrase: String) throws {
        #expect(try problem(["a": [path: ""]]) == "web1/a/\(path): \(phrase)")
    }

    private static let up = "move it up into the app's directory, or remove it"
    private static func listed(_ path: String, in directory: String = "systemd") -> String {
        "move it out of '\(directory)/' and list '\(path)' under 'symlinks' in the manifest"
    }
    private static func dropIns(_ type: String) -> String {
        "a directory of drop-ins is named after a unit, the beginning of names up to a dash, or a type: 'web.\(type).d', "
            + "'web-.\(type).d' or '\(type).d'"
    }

    @Test(arguments: [
        ("journald.conf.d/00-size.conf", "put it into the app's 'journald/' instead"),
        ("journald.conf", listed("/etc/systemd/journald.conf")),
        ("lan.network", "put it into the app's 'networkd/' instead"),
        ("70-x.rules", "put it into the app's 'udev/' instead"),
        ("timesyncd.conf.d/a.conf", listed("/etc/systemd/timesyncd.conf.d/a.conf")),
        ("x.preset", listed("/etc/systemd/system-preset/x.preset")),
        ("README.md", up), (".gitkeep", up), (".web.service.swp", up), ("web.service~", up), ("web", up), ("a b.service", up),
        (".service", up), ("@a.service", up), ("session.scope", up), ("web.service.d/README.md", up), ("web.service.d/.a.conf", up),
        ("web.service.d/limits", "rename it to 'limits.conf'"), ("limits.conf", dropIns("service")),
        ("web.d/limits.conf", dropIns("service")), ("nginx.conf.d/a.conf", dropIns("service")),
        ("web.container", "put it into the app's 'quadlets/' instead"),
        ("web.container.d/a.conf", "put it into the app's 'quadlets/' instead"),
        ("multi-user.target.wants/web.service", "list the unit in 'systemd.units_enabled' and name the target in its [Install] section"),
    ])
    func `a file that systemd does not read is refused`(path: String, advice: String) throws {
        #expect(
            try problem(["a": ["systemd/\(path)": ""]])
                == "web1/a/systemd/\(path): systemd does not read '\(path)' in /etc/systemd/system; \(advice)")
    }

    @Test(arguments: [
        ("web.service", "put it into the app's 'systemd/' instead"), ("web.service.d/a.conf", "put it into the app's 'systemd/' instead"),
        ("README.md", up), ("web.contaner", up), ("pod.yml", up), ("Containerfile", up), ("web.container.d/a", "rename it to 'a.conf'"),
        ("web.d/a.conf", dropIns("container")), ("containers.conf", listed("/etc/containers/containers.conf", in: "quadlets")),
    ])
    func `a file that Podman does not read is refused`(path: String, advice: String) throws {
        #expect(
            try problem(["a": ["quadlets/\(path)": ""]])
                == "web1/a/quadlets/\(path): Podman does not read '\(path)' in /etc/containers/systemd; \(advice)")
    }

    @Test(arguments: ["sysusers", "tmpfiles"])
    func `a definition that no program reads is refused`(directory: String) throws {
        for (name, advice) in [
            ("web", "rename it to 'web.conf'"), ("README.md", Self.up), (".web.conf", Self.up), ("web.conf~", Self.up),
            ("web.service", "put it into the app's 'systemd/' instead"),
        ] {
            #expect(
                try problem(["a": ["\(directory)/\(name)": ""]])
                    == "web1/a/\(directory)/\(name): systemd-\(directory) does not read '\(name)' in /etc/\(directory).d; \(advice)")
        }
    }

    @Test func `all names that programs read are accepted`() throws {
        var files: [String: String] = [:]
        for type in UnitName.suffixes + [".device"] {
            for name in ["web", "a-b", "a@", "a@b-c", "-", "a-", "a.b", "_x", "dev-disk-by\\x2dlabel-x", "a:b"] {
                files["systemd/\(name)\(type)"] = ""
            }
        }
        for type in UnitName.suffixes + [".device", ".scope"] {
            for name in ["web", "a-b-", "a@", "a@b-c", "-", "a-@"] { files["systemd/\(name)\(type).d/x.conf"] = "" }
            files["systemd\(type.replacing(".", with: "/")).d/x.conf"] = ""
        }
        for type in ["container", "kube", "pod", "volume", "network", "image", "build", "artifact"] {
            for name in ["web", "a@", "a-b"] { files["quadlets/\(name).\(type)"] = "" }
            for name in ["web.", "a-.", ""] { files["quadlets/\(name)\(type).d/x.conf"] = "" }
        }
        for name in ["pod.yml", "pod.yaml", "Containerfile", "web.Containerfile", "Dockerfile.web", ".containerignore", "web.env"] {
            files["quadlets/\(name)"] = ""
        }
        for name in ["a.conf", "a b.conf", "\u{301}.conf"] {
            files["tmpfiles/\(name)"] = ""
            files["sysusers/\(name)"] = ""
        }
        for (file, content) in files {
            let others = file.hasPrefix("quadlets/") ? ["quadlets/b.build": "", "quadlets/b.kube": "", "quadlets/b.container": ""] : [:]
            #expect(try problem(["a": others.merging([file: content]) { $1 }]) == nil, "\(file)")
        }
    }

    @Test func `a name of Deptool's own units is refused`() throws {
        func phrase(_ name: String) -> String {
            "'\(name)' is a name of Deptool's own units, which begin with 'deptool-'; give it another"
        }
        for (file, name) in [
            ("systemd/deptool-recover.service", "deptool-recover.service"),
            ("systemd/deptool-recover.service.d/a.conf", "deptool-recover.service.d"),
            ("systemd/deptool-.service.d/a.conf", "deptool-.service.d"), ("quadlets/deptool-x.container", "deptool-x.container"),
        ] {
            #expect(try problem(["a": [file: ""]]) == "web1/a/\(file): " + phrase(name))
        }
        #expect(
            try problem(["a": ["manifest.json": manifest(units: ["deptool-recover.service"])]])
                == "web1/a/manifest.json: " + phrase("deptool-recover.service"))
        #expect(try problem(["a": ["tmpfiles/deptool-x.conf": "", "systemd/deptool.service": ""]]) == nil)
    }

    @Test func `a deployed tree that is now invalid can be gone back to`() throws {
        try tree(["a": ["systemd/README.md": "", "tmpfiles/x": "", "systemd/deptool-x.service": ""]]).validate(.history)
        #expect(throws: TreeError.self) { try tree(["a": ["systemd/a/b": ""]]).validate(.history) }
    }

    @Test func `errors found while reading have places and phrases`() throws {
        let host = try hostname("web1")
        let app = AppName("nginx")
        func text(_ problem: TreeError) -> String { "\(problem.place): \(problem.phrase)" }
        #expect(
            text(TreeError(host: host, app: app, file: "manifest.json", .format(.badUnit("x", line: 7))))
                == "web1/nginx/manifest.json:7: 'x' is not the name of a systemd unit, such as 'nginx.service'")
        #expect(text(TreeError(host: host, file: "host.json", .tooLarge(limit: 1 << 20))) == "web1/host.json: larger than 1024 KiB")
        #expect(
            text(TreeError(host: host, .badAppName("a b")))
                == "web1: 'a b' is not a name for an app: use letters, digits, '.', '-', '_', '@' and '+', the first a letter, digit or '_'"
        )
        #expect(
            text(TreeError(host: host, .badHostName("a b")))
                == "web1: 'a b' is not a name for a host: use letters, digits, '.', '-' and '_', the first a letter or digit")
        #expect(
            text(TreeError(host: host, app: app, file: "a", .badPath(.tooLong)))
                == "web1/nginx/a: not a valid path: it is too long")
        #expect(text(TreeError(host: host, app: app, file: "a", .notAFile)) == "web1/nginx/a: neither a file nor a directory")
    }

    private func problem(_ apps: [String: [String: String]]) throws -> String? {
        let tree = try tree(apps)
        do throws(TreeError) {
            try tree.validate()
            return nil
        } catch {
            return "\(error.place): \(error.phrase)"
        }
    }
}
