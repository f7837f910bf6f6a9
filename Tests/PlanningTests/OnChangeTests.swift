import Model
import Planning
import TestSupport
import Testing

/// The reactions of units to changed files: rules, unit files by meaning, quadlets.
@Suite struct OnChangeTests {
    private func web(
        _ rules: [String: [String: [String]]], _ files: [String: String] = [:], units: [String] = ["nginx.service"]
    )
        -> [String: String]
    {
        [
            "manifest.json": manifest(units: units, onChange: rules), "nginx.conf": "", "sites/a": "", "pages/index.html": "",
            "README.md": "",
        ]
        .merging(files) { $1 }
    }

    private let rules = ["nginx.service": ["reload": ["nginx.conf", "sites/"], "nothing": ["pages/", "README.md"]]]

    /// The steps for units, without those for files.
    private func reactions(
        _ old: [String: [String: String]], _ new: [String: [String: String]], drift: [Drift] = []
    ) throws -> [String] {
        try (steps(from: old, to: new, drift: drift) ?? []).filter { step in
            ["restart", "reload nginx", "reload ", "start", "stop", "enable", "disable"].contains { step.contains(": \($0)") }
        }
    }

    @Test(arguments: [
        (["nginx.conf": "1"], ["web: reload nginx.service (nginx.conf +0)"]),
        (["sites/a": "1", "sites/b": "1"], ["web: reload nginx.service (sites/a +1)"]),
        (["pages/index.html": "1"], []),
        (["README.md": "1", "pages/x": "1"], []),
        (["README.md": "1", "nginx.conf": "1"], ["web: reload nginx.service (nginx.conf +0)"]),
        (["key.pem": "1", "nginx.conf": "1"], ["web: restart nginx.service (key.pem +0)"]),
        // No directory of that name.
        (["sites-old": "1"], ["web: restart nginx.service (sites-old +0)"]),
    ])
    func `the strongest rule of all changed files wins`(_ changed: [String: String], _ expected: [String]) throws {
        #expect(try reactions(["web": web(rules)], ["web": web(rules, changed)]) == expected)
    }

    @Test func `the longest rule wins`() throws {
        let rules = [
            "nginx.service": ["reload": ["./"], "restart": ["sites/"], "nothing": ["sites/a/", "sites/a"]].mapValues {
                $0.filter { $0 != "sites/a" }
            }
        ]
        func step(_ file: String) throws -> [String] {
            try reactions(["web": web(rules, ["sites/a/x": ""])], ["web": web(rules, ["sites/a/x": "", file: "1"])])
        }
        #expect(try step("nginx.conf") == ["web: reload nginx.service (nginx.conf +0)"])
        #expect(try step("sites/b") == ["web: restart nginx.service (sites/b +0)"])
        #expect(try step("sites/a/y") == [])
    }

    @Test func `a reload is judged after all started units are healthy`() throws {
        let old = ["app": ["manifest.json": manifest(units: ["app.service"]), "f": ""], "web": web(rules)]
        let new = ["app": ["manifest.json": manifest(units: ["app.service"]), "f": "1"], "web": web(rules, ["sites/a": "1"])]
        #expect(
            try steps(from: old, to: new)?.suffix(4) == [
                "app: restart app.service (f +0)", "app: check app.service", "web: reload nginx.service (sites/a +0)",
                "web: check nginx.service",
            ])
    }

    @Test func `a restart for a changed file prevails over one for a new app`() throws {
        let rules = ["nginx.service": ["reload": ["sites/"], "restart": ["../site/"]]]
        let new = ["web": web(rules, ["sites/a": "1"]), "site": ["index.html": ""]]
        // A rule for a missing file has no effect.
        let old = ["web": web(["nginx.service": ["reload": ["sites/"]]])]
        let did = try reactions(old, new)
        #expect(did.contains { $0.contains(": restart nginx.service (") }, "\(did)")
    }

    @Test func `a change of rules alone has no effect`() throws {
        #expect(try reactions(["web": web([:])], ["web": web(rules)]) == [])
        // But a file that the manifest places does.
        var linked = web([:])
        linked["manifest.json"] = manifest(units: ["nginx.service"], links: ["/etc/nginx": "sites"])
        #expect(try reactions(["web": web([:])], ["web": linked]) == ["web: restart nginx.service (manifest.json +0)"])
    }

    @Test func `an app can name the units of others, and the files of others`() throws {
        let plain = ["manifest.json": manifest(), "cert.pem": "", "notes": ""]
        // The app with the file names the unit.
        let tls = plain.merging(["manifest.json": manifest(onChange: ["nginx.service": ["reload": ["cert.pem"]]])]) { $1 }
        func change(_ app: [String: String]) -> [String: String] { app.merging(["cert.pem": "1"]) { $1 } }
        #expect(
            try reactions(["tls": tls, "web": web([:])], ["tls": change(tls), "web": web([:])]) == [
                "tls: reload nginx.service (tls/cert.pem +0)"
            ])
        #expect(try reactions(["tls": tls, "web": web([:])], ["tls": tls.merging(["notes": "1"]) { $1 }, "web": web([:])]) == [])
        // The app with the unit names the file.
        let reader = web(["nginx.service": ["reload": ["../tls/"]]])
        #expect(
            try reactions(["tls": plain, "web": reader], ["tls": change(plain), "web": reader]) == [
                "tls: reload nginx.service (tls/cert.pem +0)"
            ])
        // An unlisted unit.
        #expect(try reactions(["tls": tls], ["tls": change(tls)]) == ["tls: reload nginx.service if up (cert.pem +0)"])
        let restart = plain.merging(["manifest.json": manifest(onChange: ["nginx.service": ["restart": ["./"]]])]) { $1 }
        #expect(try reactions(["tls": restart], ["tls": change(restart)]) == ["tls: restart nginx.service if up (cert.pem +0)"])
    }

    @Test func `the checks of apps run whose units act, listed or not`() throws {
        func app(_ units: [String], _ rules: [String: [String: [String]]] = [:]) -> [String: String] {
            let text = manifest(units: units, onChange: rules)
            return ["manifest.json": #"{"checks": [["/bin/test"]], "# + text.dropFirst(), "conf": "1"]
        }
        let site = ["manifest.json": manifest(), "page": "1"], changed = site.merging(["page": "2"]) { $1 }
        let rules = ["web.service": ["reload": ["conf", "../site/"]]]
        // A reader that lists the unit, and one that only has rules for it.
        for reader in [app(["web.service"], rules), app([], rules)] {
            let steps = try #require(try steps(from: ["site": site, "web": reader], to: ["site": changed, "web": reader]))
            #expect(steps.contains("web: validate /bin/test 30.0 seconds"), "\(steps)")
        }
    }

    @Test func `old rules count until new ones replace them`() throws {
        let ruled = ["manifest.json": manifest(onChange: ["nginx.service": ["reload": ["site"]]]), "site": "1"]
        let plain = ["manifest.json": manifest(), "site": "0"]
        // An undo, and an app that leaves.
        #expect(try reactions(["a": ruled], ["a": plain]) == ["a: reload nginx.service if up (site +0)"])
        #expect(try reactions(["a": ruled], [:]) == ["a: reload nginx.service if up (site +0)"])
        #expect(
            try reactions(["a": ruled, "web": web([:])], ["web": web([:])]) == ["a: reload nginx.service (a/site +0)"])
        let other = ["manifest.json": manifest(onChange: ["nginx.service": ["nothing": ["site"]]]), "site": "2"]
        #expect(try reactions(["a": ruled], ["a": other]) == [])
    }

    @Test func `a manual change on the host restarts its unit, even if the tree's change would not`() throws {
        func app(_ file: String) -> [String: [String: String]] {
            ["a": ["manifest.json": manifest(units: ["a.service"]), "systemd/a.service": file]]
        }
        let path = try AbsolutePath("/etc/systemd/system/a.service")
        let found = Drift.Found.file(.of(.blob, []), size: 0)
        let drift = Drift(AppName("a"), .placed(path, try RelativePath("systemd/a.service"), found))
        let steps = try reactions(app(Self.unit), app("# x\n" + Self.unit), drift: [drift])
        #expect(steps == ["a: enable a.service again", "a: restart a.service (systemd/a.service +0)"])
    }

    @Test func `probes come after the reloads of their app`() throws {
        let shop = { (content: String) in
            [
                "manifest.json":
                    #"{"systemd": {"units_enabled": ["shop.service"], "on_change": {"nginx.service": {"reload": ["site"]}}}, "health": [{"tcp": "localhost:80"}]}"#,
                "site": content,
            ]
        }
        #expect(
            try steps(from: ["shop": shop("1"), "web": web([:])], to: ["shop": shop("2"), "web": web([:])])?.map { String($0.prefix(24)) }
                == [
                    "shop: checkout", "shop: activate", "shop: restart shop.servi", "shop: check shop.service", "shop: reload nginx.servi",
                    "shop: check nginx.servic", "shop: probe tcp(Model.En",
                ])
    }

    @Test func `a rule for unknown files, or for a unit that cannot reload, is refused`() throws {
        func problem(_ new: [String: [String: String]], old: [String: [String: String]] = [:]) throws -> String? {
            do { _ = try steps(from: old, to: new) } catch let error as TreeError { return "\(error.place): \(error.phrase)" }
            return nil
        }
        let rule = ["nginx.service": ["reload": ["conf.d/"]]]
        #expect(
            try problem(["web": web(rule)])
                == "web1/web/manifest.json:1: 'conf.d/' matches no file, neither in the config tree nor of what is deployed")
        #expect(try problem(["web": web(rule)], old: ["web": web([:], ["conf.d/x": ""])]) == nil)
        #expect(try problem(["web": web(["nginx.service": ["reload": ["../tls/"]]])]) != nil)
        for (file, isFine) in [
            ("[Service]\nExecStart=/x", false), ("[Service]\nExecReload=/x", true), ("[Service]\nType = notify-reload", true),
            ("[Service]\nExecReload=/x\nExecReload=", false), ("[Service]\n# ExecReload=/x", false), ("[Unit]\nExecReload=/x", false),
        ] {
            let found = try problem(["web": web(rules, ["systemd/nginx.service": file])])
            #expect((found == nil) == isFine, "\(file): \(found ?? "fine")")
        }
        #expect(try problem(["web": web(rules, ["systemd/nginx.service.d/x.conf": "[Service]\nExecReload="])]) == nil)
        #expect(
            try problem([
                "web": web(
                    rules,
                    ["systemd/nginx.service": "[Service]\nExecStart=/x", "systemd/nginx.service.d/x.conf": "[Service]\nExecReload=/x"])
            ]) == nil)
    }

    @Test(arguments: [
        ("{\"nginx\": {\"reload\": [\"a\"]}}", "'nginx' is not the name of a systemd unit, such as 'nginx.service'"),
        ("{\"x.service\": {}}", "'systemd.on_change.x.service' has no rule; add 'reload', 'restart' or 'nothing' with a list of paths"),
        ("{\"x.service\": {\"reload\": [\"a\"], \"nothing\": [\"a\"]}}", "the path 'a' of x.service is listed twice"),
        ("{\"x.service\": {\"reload\": [\"a\", \"a/\"]}}", "the path 'a/' of x.service is listed twice"),
        ("{\"x.service\": {\"reload\": \"a\"}}", "'systemd.on_change.x.service.reload' must be a list, not a string"),
        ("{\"x.service\": {\"reload\": [1]}}", "'systemd.on_change.x.service.reload' must be paths, not a number"),
        (
            "{\"x.service\": {\"relaod\": [\"a\"]}}",
            "unknown key 'systemd.on_change.x.service.relaod'; there are 'reload', 'restart' and 'nothing'"
        ),
        (
            "{\"x@.service\": {\"reload\": [\"a\"]}}",
            "'x@.service' is a template, which cannot run; list an instance of it, such as 'x@1.service'"
        ),
        (
            "{\"x.service\": {\"reload\": [\"/etc/x\"]}}",
            "'/etc/x' is neither a file of an app nor a directory with a '/' at its end, such as 'conf/', './' or '../tls/'"
        ),
        (
            "{\"x.service\": {\"reload\": [\"../../x\"]}}",
            "'../../x' is neither a file of an app nor a directory with a '/' at its end, such as 'conf/', './' or '../tls/'"
        ),
        (
            "{\"x.service\": {\"reload\": [\"../tls\"]}}",
            "'../tls' is neither a file of an app nor a directory with a '/' at its end, such as 'conf/', './' or '../tls/'"
        ),
        ("[]", "'systemd.on_change' must be an object, not a list"),
    ])
    func `invalid rules are refused`(_ rules: String, _ expected: String) {
        #expect(throws: FormatError.self) { try Manifest(parsing: Array("{\"systemd\": {\"on_change\": \(rules)}}".utf8)) }
        do { _ = try Manifest(parsing: Array("{\"systemd\": {\"on_change\": \(rules)}}".utf8)) } catch { #expect(error.phrase == expected) }
    }

    // MARK: Unit files

    private static let unit =
        "[Unit]\nDescription=A\nAfter=b.service\n[Service]\nExecStart=/bin/x\nEnvironment=A=1\n[Install]\nWantedBy=multi-user.target\n"

    @Test(arguments: [
        ("# a comment\n\n" + unit + "\n; another\n", false),
        (unit.replacing("Description=A", with: "Description = Another"), false),
        (unit.replacing("ExecStart=/bin/x", with: "ExecStart = /bin/x  "), false),
        (unit.replacing("ExecStart=/bin/x", with: "ExecStart=/bin/x \\\n# in between\n  --y"), true),
        (unit.replacing("After=b.service", with: "After=c.service\nWants=c.service"), false),
        (unit.replacing("After=b.service", with: "ConditionPathExists=/x"), true),
        (unit + "[X-Mine]\nAnything=1\n", false),
        (unit.replacing("[Service]", with: "[Service]\nX-Mine=1"), false),
        (unit.replacing("WantedBy=multi-user.target", with: "WantedBy=graphical.target"), false),
        (unit.replacing("Environment=A=1", with: "Environment=A=2"), true),
        (unit.replacing("Environment=A=1\n", with: ""), true),
        (unit.replacing("Environment=A=1", with: "Environment=A=1\nEnvironment=B=1"), true),
        // The description of a section where it means something else.
        (unit.replacing("ExecStart=/bin/x", with: "ExecStart=/bin/x\nDescription=A"), true),
        (unit.replacing("\n", with: "\r\n"), false),
        ("\u{feff}" + unit, false),
        // No continuations: the backslash is escaped, or a blank is behind it.
        (unit.replacing("Description=A\nAfter=b.service\n[Service]\n", with: "Description=A\\\\\n[Service]\nNice=1\n"), true),
        (unit.replacing("Environment=A=1", with: "X-A=b\\ \nEnvironment=A=2"), true),
        // The same to the eye.
        (unit.replacing("/bin/x", with: "/bin/x\u{e9}"), true),
        ("", true),
    ])
    func `a unit file counts by its meaning`(_ changed: String, _ restarts: Bool) throws {
        func app(_ file: String) -> [String: String] {
            ["manifest.json": manifest(units: ["a.service"]), "systemd/a.service": file]
        }
        guard changed != Self.unit else { return }
        let steps = try steps(from: ["a": app(Self.unit)], to: ["a": app(changed)]) ?? []
        #expect(steps.contains("a: restart a.service (systemd/a.service +0)") == restarts, "\(steps)")
        #expect(steps.contains("daemon-reload") && steps.contains("a: enable a.service again"))
    }

    @Test(arguments: [
        ("systemd/a-b.service.d/x.conf", "a-b.service"), ("systemd/a-.service.d/x.conf", "a-b.service"),
        ("systemd/service.d/x.conf", "a-b.service"), ("systemd/a@.service.d/x.conf", "a@1.service"),
    ])
    func `a drop-in counts by its meaning, also for a prefix and a type`(_ path: String, _ unit: String) throws {
        // The unit is another app's, so that only the drop-in concerns it.
        func trees(_ dropIn: String?) -> [String: [String: String]] {
            var own = ["manifest.json": manifest()]
            own[path] = dropIn
            return ["own": own, "unit": ["manifest.json": manifest(units: [unit])]]
        }
        let (text, meaning) = ("[Unit]\nDocumentation=x", "[Service]\nNice=1")
        #expect(try reactions(trees(text), trees("# x")) == ["own: enable \(unit) again"])
        let restart = "own: restart \(unit) (own/\(path) +0)"
        #expect(try reactions(trees(text), trees(meaning)) == ["own: enable \(unit) again", restart])
        // It may hide a file of its name elsewhere.
        #expect(try reactions(trees(nil), trees("# x")) == ["own: enable \(unit) again", restart])
        #expect(try reactions(trees("# x"), trees(nil)) == ["own: enable \(unit) again", restart])
        #expect(try reactions(trees(meaning), trees(nil)) == ["own: enable \(unit) again", restart])
    }

    @Test(arguments: [
        ("timer", "[Timer]\nOnCalendar=daily", "[Timer]\nOnCalendar=weekly", "restart"),
        ("timer", "[Timer]\nOnCalendar=daily", "[Unit]\nDescription=x\n[Timer]\nOnCalendar=daily", nil),
        ("socket", "[Socket]\nListenStream=1", "[Socket]\nListenStream=2", "restart"),
        ("path", "[Path]\nPathExists=/a", "[Path]\nPathExists=/b", nil), ("slice", "[Slice]\nMemoryMax=1G", "[Slice]\nMemoryMax=2G", nil),
        ("target", "[Unit]\nWants=a.service", "[Unit]\nWants=b.service", "restart"),
        ("target", "[Unit]\nWants=a.service", "[Unit]\nWants=a.service\nAfter=a.service", nil),
        ("mount", "[Mount]\nWhat=a\nWhere=/a\nOptions=ro", "[Mount]\nWhat=a\nWhere=/a\nOptions=rw", "reload"),
        ("mount", "[Mount]\nWhat=a\nWhere=/a", "[Mount]\nWhat=b\nWhere=/a", "restart"),
    ])
    func `each type of unit has its reactions`(_ type: String, _ old: String, _ new: String, _ expected: String?) throws {
        func app(_ file: String) -> [String: [String: String]] {
            ["a": ["manifest.json": manifest(units: ["a.\(type)"]), "systemd/a.\(type)": file]]
        }
        let found = try reactions(app(old), app(new)).filter { !$0.contains("enable") }
        #expect(found == (expected.map { ["a: \($0) a.\(type) (systemd/a.\(type) +0)"] } ?? []))
    }

    // MARK: Quadlets

    private let quadlet = "[Container]\nImage=x\n[Install]\nWantedBy=multi-user.target"

    @Test(arguments: [
        ("web.service", "web.container"), ("web@1.service", "web@.container"), ("a@b.service", "a@b.container"),
        ("web.service", "web.kube"), ("web-pod.service", "web.pod"), ("data-volume.service", "data.volume"),
        ("net-network.service", "net.network"), ("x-image.service", "x.image"), ("x-build.service", "x.build"),
    ])
    func `units that Podman makes are started and stopped, but not enabled`(unit: String, file: String) throws {
        func app(_ content: String) -> [String: [String: String]] {
            ["a": ["manifest.json": manifest(units: [unit]), "quadlets/\(file)": content]]
        }
        #expect(try reactions([:], app(quadlet)) == ["a: start \(unit), or restart it"])
        #expect(try reactions(app(quadlet), app("# x\n" + quadlet)) == [])
        #expect(try reactions(app(quadlet), app(quadlet + "\n[Service]\nNice=1")) == ["a: restart \(unit) (quadlets/\(file) +0)"])
        #expect(try reactions(app(quadlet), [:]) == ["a: stop \(unit)"])
    }

    @Test func `a removed quadlet stops its container, listed or not`() throws {
        let old = ["a": ["quadlets/web.container": quadlet, "quadlets/x@.container": quadlet, "f": ""]]
        #expect(try reactions(old, ["a": ["f": ""]]) == ["a: stop web.service"])
        #expect(try reactions(old, [:]) == ["a: stop web.service"])
        // It moves to another app.
        #expect(try reactions(old, ["b": ["quadlets/web.container": quadlet]]) == [])
    }

    @Test func `a unit that becomes a quadlet loses its links, and gets them back as a file`() throws {
        let units = manifest(units: ["web.service"])
        let file = ["a": ["manifest.json": units, "systemd/web.service": "[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=x.target"]]
        let container = ["a": ["manifest.json": units, "quadlets/web.container": quadlet]]
        #expect(
            try reactions(file, container) == ["a: disable web.service", "a: restart web.service (quadlets/web.container +1)"])
        #expect(
            try steps(from: container, to: file)?.filter { $0.contains(" web.service") } == [
                "a: stop web.service", "a: enable web.service again", "a: restart web.service (quadlets/web.container +1)",
                "a: check web.service",
            ])
    }

    @Test func `a quadlet can set its unit's name`() throws {
        let named = [
            "manifest.json": manifest(units: ["shop.service"]), "quadlets/web.container": "[Container]\nServiceName=shop\nImage=x",
        ]
        #expect(try reactions([:], ["a": named]) == ["a: start shop.service, or restart it"])
        #expect(try reactions(["a": named], [:]) == ["a: stop shop.service"])
    }
}
