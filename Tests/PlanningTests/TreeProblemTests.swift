import Model
import TestSupport
import Testing

@testable import Planning

@Suite struct TreeProblemTests {
    @Test func `a tree with everything is valid`() throws {
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
        #expect(try problem(["a": ["manifest.json": manifest(links: ["/etc/x": "f"]), "f": ""],
            "b": ["manifest.json": manifest(links: ["/etc/x": "g"]), "g": ""]])
            == "web1/b/manifest.json: the link '/etc/x' is also claimed by the app 'a'")
        #expect(try problem(["a": ["systemd/x.service": ""], "b": ["systemd/x.service": ""]])
            == "web1/b/systemd/x.service: the link '/etc/systemd/system/x.service' is also claimed by the app 'a'")
        #expect(try problem(["a": ["systemd/x.service.d/1.conf": ""], "b": ["systemd/x.service.d/1.conf": ""]])
            == "web1/b/systemd/x.service.d/1.conf: the link '/etc/systemd/system/x.service.d/1.conf' is also claimed by the app 'a'")
    }

    @Test func `a link that a manifest and a file want is refused`() throws {
        #expect(try problem(["a": ["manifest.json": manifest(links: ["/etc/tmpfiles.d/a.conf": "f"]), "f": "", "tmpfiles/a.conf": ""]])
            == "web1/a/manifest.json: the link '/etc/tmpfiles.d/a.conf' is there twice")
    }

    @Test func `a unit of two apps is refused`() throws {
        #expect(try problem(["a": ["manifest.json": manifest(units: ["x.service"])], "b": ["manifest.json": manifest(units: ["x.service"])]])
            == "web1/b/manifest.json: the unit 'x.service' is also enabled by the app 'a'")
    }

    @Test(arguments: [
        ("web.service", "web.container"), ("web@1.service", "web@.container"), ("a@b.service", "a@b.container"),
        ("web.service", "web.kube"), ("web-pod.service", "web.pod"), ("data-volume.service", "data.volume"),
        ("net-network.service", "net.network"), ("x-image.service", "x.image"), ("x-build.service", "x.build"),
    ])
    func `a unit that Podman makes cannot be enabled`(unit: String, file: String) throws {
        #expect(try problem(["a": ["manifest.json": manifest(units: [unit])], "b": ["quadlets/\(file)": ""]])
            == "web1/a/manifest.json: the unit '\(unit)' is made of the app b's 'quadlets/\(file)', and systemd cannot enable such units; "
            + "take it out of 'systemd.units_enabled' and give the quadlet an [Install] section, such as 'WantedBy=multi-user.target'")
        #expect(try problem(["a": ["manifest.json": manifest(units: ["other.service"])], "b": ["quadlets/\(file)": ""]]) == nil)
    }

    @Test func `a link below another is refused`() throws {
        #expect(try problem(["a": ["manifest.json": manifest(links: ["/etc/x/y/z": "f"]), "f": ""],
            "b": ["manifest.json": manifest(links: ["/etc/x": "d"]), "d/f": ""]])
            == "web1/a/manifest.json: the link '/etc/x/y/z' would lie behind the link '/etc/x' of the app 'b'")
        #expect(try problem(["a": ["manifest.json": manifest(links: ["/etc/x": "d", "/etc/x-y": "d", "/etc/x/y": "d"]), "d/f": ""]])
            == "web1/a/manifest.json: the link '/etc/x/y' would lie behind the link '/etc/x' of the app 'a'")
        #expect(try problem(["a": ["manifest.json": manifest(links: ["/etc/tmpfiles.d": "d"]), "d/f": ""], "b": ["tmpfiles/b.conf": ""]])
            == "web1/b/manifest.json: the link '/etc/tmpfiles.d/b.conf' would lie behind the link '/etc/tmpfiles.d' of the app 'a'")
    }

    @Test(arguments: ["g", "conf/b", "con", "conf/a/b", "Conf"])
    func `a link to nothing is refused`(source: String) throws {
        #expect(try problem(["a": ["manifest.json": manifest(links: ["/etc/x": source]), "conf/a": "", "config": ""]])
            == "web1/a/manifest.json: the link '/etc/x' points to '\(source)', which the app does not have")
    }

    @Test(arguments: [
        ("/etc/systemd/system/x.service", "systemd"), ("/etc/systemd/system", "systemd"), ("/etc/systemd/system/a/b/c", "systemd"),
        ("/etc/sysusers.d/x.conf", "sysusers"), ("/etc/containers/systemd/x.container", "quadlets"),
        ("/etc/systemd/system/\u{301}x.service", "systemd"),
    ])
    func `a link into a directory with links of Deptool is refused`(path: String, instead: String) throws {
        #expect(try problem(["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]])
            == "web1/a/manifest.json: the link '\(path)' is in a directory that Deptool manages; put the file into the app's '\(instead)/' instead")
    }

    @Test(arguments: ["/var/lib/deptool", "/var/lib/deptool/apps/x/current", "/var/lib/deptool/\u{301}x"])
    func `a link into Deptool's own directory is refused`(path: String) throws {
        #expect(try problem(["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]])
            == "web1/a/manifest.json: the link '\(path)' is in Deptool's own directory")
    }

    @Test(arguments: ["/var", "/var/lib"])
    func `a link in place of a directory above Deptool's own is refused`(path: String) throws {
        #expect(try problem(["a": ["manifest.json": manifest(links: [path: "f"]), "f": ""]])
            == "web1/a/manifest.json: the link '\(path)' would be in place of a directory that holds Deptool's own, /var/lib/deptool")
    }

    @Test(arguments: [
        ("systemd/a/x.conf", "'systemd/' holds files, and directories 'NAME.d' with files; nothing deeper"),
        ("systemd/x.service.d/a/b", "'systemd/' holds files, and directories 'NAME.d' with files; nothing deeper"),
        ("quadlets/a/x", "'quadlets/' holds files, and directories 'NAME.d' with files; nothing deeper"),
        ("sysusers/a.d/x", "'sysusers/' holds files, no directories"),
        ("tmpfiles/a/x", "'tmpfiles/' holds files, no directories"),
    ])
    func `a directory where only files are linked is refused`(path: String, phrase: String) throws {
        #expect(try problem(["a": [path: ""]]) == "web1/a/\(path): \(phrase)")
    }

    @Test func `places and phrases of what is found while reading`() throws {
        let host = try hostname("web1")
        let app = AppName("nginx")
        func text(_ problem: TreeProblem) -> String { "\(problem.place): \(problem.phrase)" }
        #expect(text(TreeProblem(host: host, app: app, file: "manifest.json", .format(.badUnit("x", line: 7))))
            == "web1/nginx/manifest.json:7: 'x' is no name of a systemd unit, such as 'nginx.service'")
        #expect(text(TreeProblem(host: host, file: "host.json", .tooLarge(limit: 1 << 20))) == "web1/host.json: larger than 1024 KiB")
        #expect(text(TreeProblem(host: host, .badAppName("a b")))
            == "web1: 'a b' is no name for an app: letters, digits, '.', '-', '_', '@' and '+', the first a letter, digit or '_'")
        #expect(text(TreeProblem(host: host, .badHostName("a b")))
            == "web1: 'a b' is no name for a host: letters, digits, '.', '-' and '_', the first a letter or digit")
        #expect(text(TreeProblem(host: host, app: app, file: "a", .badPath(.tooLong)))
            == "web1/nginx/a: not a path that Deptool takes: it is too long")
        #expect(text(TreeProblem(host: host, app: app, file: "a", .notAFile)) == "web1/nginx/a: neither a file nor a directory")
    }

    private func problem(_ apps: [String: [String: String]]) throws -> String? {
        let tree = try tree(apps)
        do throws(TreeProblem) {
            try tree.validate()
            return nil
        } catch {
            return "\(error.place): \(error.phrase)"
        }
    }
}
