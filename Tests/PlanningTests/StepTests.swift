import Model
import Planning
import TestSupport
import Testing

@Suite struct StepTests {
    private let dns = [
        "manifest.json": manifest(units: ["nsd.service"], links: ["/etc/nsd": "conf", "/etc/cron.d/nsd": "cron"]),
        "systemd/nsd.service": "[Service]", "conf/nsd.conf": "server:", "conf/zones/a.zone": "1", "conf/zones/b.zone": "1", "cron": "",
    ]

    /// The name server with other contents of some files; nil for none.
    private func with(_ changes: [String: String?]) -> [String: String] {
        changes.reduce(into: dns) { files, change in files[change.key] = change.value }
    }

    @Test func `a first deploy does everything`() throws {
        #expect(
            try steps(from: [:], to: ["nsd": dns, "base": ["motd": "hi"]]) == [
                "base: checkout",
                "nsd: checkout",
                "base: activate",
                "nsd: activate",
                "nsd: link /etc/cron.d/nsd -> cron",
                "nsd: link /etc/nsd -> conf",
                "nsd: place /etc/systemd/system/nsd.service <- systemd/nsd.service",
                "daemon-reload",
                "nsd: enable nsd.service",
                "nsd: start nsd.service, or restart it",
                "nsd: check nsd.service",
            ])
    }

    @Test func `a changed zone restarts the units of its app`() throws {
        #expect(
            try steps(from: ["nsd": dns, "base": ["motd": "hi"]], to: ["nsd": with(["conf/zones/a.zone": "2"]), "base": ["motd": "hi"]])
                == [
                    "nsd: checkout",
                    "nsd: activate",
                    "nsd: restart nsd.service (conf/zones/a.zone +0)",
                    "nsd: check nsd.service",
                ])
    }

    @Test func `a restart names one file and counts the others`() throws {
        let new = with(["conf/zones/a.zone": nil, "conf/zones/b.zone": "2", "conf/zones/c.zone": "1"])
        #expect(try steps(from: ["nsd": dns], to: ["nsd": new])?[2] == "nsd: restart nsd.service (conf/zones/a.zone +2)")
    }

    @Test func `a changed unit file is reloaded and enabled again`() throws {
        #expect(
            try steps(from: ["nsd": dns], to: ["nsd": with(["systemd/nsd.service": "[Service]\nNice=1"])]) == [
                "nsd: checkout",
                "nsd: activate",
                "nsd: place /etc/systemd/system/nsd.service <- systemd/nsd.service again",
                "daemon-reload",
                "nsd: enable nsd.service again",
                "nsd: restart nsd.service (systemd/nsd.service +0)",
                "nsd: check nsd.service",
            ])
    }

    @Test func `every step with a unit carries the times of the app that has it`() throws {
        func app(_ units: String, _ settings: String) -> [String: String] {
            ["manifest.json": #"{"systemd": {"units_enabled": [\#(units)]}, \#(settings)}"#, "f": settings]
        }
        let old = app(#""a.service", "b.service""#, #""timeout": 10"#)
        let new = app(#""b.service", "c.service""#, #""timeout": 20, "settle": 2.5"#)
        #expect(
            try steps(from: ["app": old], to: ["app": new]) == [
                "app: checkout",
                "app: disable a.service within 10.0 seconds",
                "app: activate",
                "app: enable c.service",
                "app: restart b.service (f +0) within 20.0 seconds",
                "app: start c.service, or restart it within 20.0 seconds",
                "app: check b.service for 2.5 seconds within 20.0 seconds",
                "app: check c.service for 2.5 seconds within 20.0 seconds",
            ])
    }

    @Test func `an app that becomes private, or public again, is a change`() throws {
        func app(_ manifest: String) -> [String: String] { ["manifest.json": manifest, "key": "secret", "sysusers/a.conf": ""] }
        let (open, closed) = (app("{}"), app(#"{"private": true}"#))
        let shared = app(#"{"private": true, "group": "nsd"}"#)
        #expect(try steps(from: ["app": open], to: ["app": closed]) == ["app: checkout for root", "app: activate"])
        #expect(try steps(from: ["app": closed], to: ["app": shared]) == ["app: checkout for root", "app: activate", "app: grant nsd"])
        #expect(try steps(from: ["app": shared], to: ["app": open]) == ["app: checkout", "app: activate"])
        // After the group was made.
        #expect(
            try steps(from: [:], to: ["app": shared]) == [
                "app: checkout for root", "app: activate", "app: place /etc/sysusers.d/a.conf <- sysusers/a.conf", "sysusers",
                "app: grant nsd",
            ])
    }

    @Test func `a unit restarts when its file or drop-in in another app changes`() throws {
        func site(_ dropIn: String?, unit: String = "1") -> [String: [String: String]] {
            var files = ["systemd/web@.service": unit, "readme": "", "systemd/other.service": ""]
            files["systemd/web@1.service.d/limits.conf"] = dropIn
            return ["app": ["manifest.json": manifest(units: ["web@1.service"])], "base": files]
        }
        #expect(
            try steps(from: site("1"), to: site("2")) == [
                "base: checkout", "base: activate",
                "base: place /etc/systemd/system/web@1.service.d/limits.conf <- systemd/web@1.service.d/limits.conf again", "daemon-reload",
                "base: enable web@1.service again",
                "base: restart web@1.service (base/systemd/web@1.service.d/limits.conf +0)", "base: check web@1.service",
            ])
        #expect(
            try steps(from: site("1"), to: site(nil, unit: "2")) == [
                "base: checkout", "base: activate", "base: unplace /etc/systemd/system/web@1.service.d/limits.conf",
                "base: place /etc/systemd/system/web@.service <- systemd/web@.service again", "daemon-reload",
                "base: enable web@1.service again", "base: restart web@1.service (base/systemd/web@.service +1)",
                "base: check web@1.service",
            ])
        var other = site("1")
        other["base"]?["systemd/other.service"] = "2"
        other["base"]?["readme"] = "2"
        #expect(
            try steps(from: site("1"), to: other) == [
                "base: checkout", "base: activate", "base: place /etc/systemd/system/other.service <- systemd/other.service again",
                "daemon-reload",
            ])
        // The app's own changes come first.
        var both = site("2")
        both["app"]?["file"] = ""
        #expect(try steps(from: site("1"), to: both)?.contains("app: restart web@1.service (file +1)") == true)
    }

    @Test func `a new app's drop-in restarts a unit only if the unit runs with other files`() throws {
        let web = ["manifest.json": manifest(units: ["web.service"])]
        let limits = ["systemd/web.service.d/limits.conf": "1"], more = ["systemd/web.service.d/more.conf": "1"]
        func units(_ old: [String: [String: String]], _ new: [String: [String: String]]) throws -> [String] {
            try steps(from: old, to: new)?.filter { $0.contains("start web") || $0.contains("check web") } ?? []
        }
        // The host decides what each app takes over.
        #expect(
            try units(["web": web], ["limits": limits, "more": more, "web": web]) == [
                "limits: start web.service, or restart it", "more: start web.service, or restart it", "limits: check web.service",
            ])
        #expect(
            try units([:], ["limits": limits, "web": web]) == [
                "web: start web.service", "limits: start web.service, or restart it", "web: check web.service",
            ])
        // A changed file restarts the unit in any case.
        let file = "limits/systemd/web.service.d/limits.conf"
        let changed = limits.merging(["systemd/web.service.d/limits.conf": "2"]) { $1 }
        #expect(
            try units(["limits": limits], ["limits": changed, "web": web]) == [
                "web: restart web.service (manifest.json +1)", "web: check web.service",
            ])
        #expect(
            try units(["limits": limits, "web": web], ["limits": changed, "more": more, "web": web]) == [
                "limits: restart web.service (\(file) +1)", "limits: check web.service",
            ])
    }

    @Test func `a drop-in of another app for a prefix or a type restarts its units`() throws {
        func site(_ directory: String, _ content: String) -> [String: [String: String]] {
            [
                "shop": ["manifest.json": manifest(units: ["shop-web@1.service", "shop.timer"])],
                "base": ["systemd/\(directory)/10.conf": content],
            ]
        }
        func restarted(_ directory: String) throws -> [String] {
            try steps(from: site(directory, "1"), to: site(directory, "2"))?
                .filter { $0.contains("restart") }.map { String($0.split(separator: " ")[2]) } ?? []
        }
        for directory in ["shop-.service.d", "service.d", "shop-@.service.d", "shop-web@.service.d", "shop-@1.service.d"] {
            #expect(try restarted(directory) == ["shop-web@1.service"], "\(directory)")
        }
        for directory in ["timer.d", "shop.timer.d"] { #expect(try restarted(directory) == ["shop.timer"], "\(directory)") }
        for directory in ["shop-web.service.d", "sho-.service.d", "shop.service.d", "shop-.timer.d", "socket.d"] {
            #expect(try restarted(directory) == [], "\(directory)")
        }
    }

    @Test(arguments: [
        "data.mount", "data.automount", "data.swap", "data.slice", "data.path", "data.target",
    ])
    func `a unit without a process restarts only for its own files`(unit: String) throws {
        func app(_ file: String, _ content: String) -> [String: [String: String]] {
            let files = ["manifest.json": manifest(units: [unit, "x.service"]), "systemd/\(unit)": "", "README": ""]
            return ["a": files.merging([file: content]) { $1 }]
        }
        func restarts(_ file: String) throws -> Bool {
            let steps = try steps(from: app(file, "1"), to: app(file, "2")) ?? []
            #expect(steps.contains("a: check \(unit)") == steps.contains { $0.hasPrefix("a: restart \(unit)") }, "\(file)")
            return steps.contains { $0.hasPrefix("a: restart \(unit)") }
        }
        for file in ["README", "conf/x", "systemd/x.service", "systemd/x.service.d/a.conf", "tmpfiles/a.conf"] {
            #expect(try !restarts(file), "\(file)")
        }
        let type = unit.dropFirst("data.".count)
        // These types take their new settings over at a daemon-reload.
        let isReread = ["slice", "path", "target"].contains(type)
        for file in ["systemd/\(unit)", "systemd/\(unit).d/a.conf", "systemd/\(type).d/a.conf"] {
            #expect(try restarts(file) == !isReread, "\(file)")
        }
        // When it was taken down meanwhile, it comes back.
        let name = try unitName(unit)
        let drift = Drift(AppName("a"), .unwell(name, .exited(status: 0)))
        #expect(try steps(from: app("README", "1"), to: app("README", "2"), drift: [drift])?.contains("a: start \(unit)") == true)
    }

    @Test func `a target restarts the units that Podman makes`() throws {
        func app(_ content: String) -> [String: [String: String]] {
            [
                "a": [
                    "manifest.json": manifest(units: ["db.target"]), "systemd/db.target": "", "quadlets/db.container": "",
                    "db.conf": content,
                ]
            ]
        }
        #expect(try steps(from: app("1"), to: app("2"))?.contains("a: restart db.target (db.conf +0)") == true)
    }

    @Test func `a change of host.json alone is a plan without steps`() throws {
        let old = try tree(["a": ["f": ""]])
        var new = old
        new.options.hostname = "web1.example.com"
        let plan = try #require(HostPlan(base: nil, deployed: old, wanted: new))
        #expect(plan.changes == [])
        #expect(plan.steps == [])
        #expect(plan.hasNewOptions)
        #expect(HostPlan(base: nil, deployed: new, wanted: new) == nil)
        #expect(HostPlan(base: nil, deployed: nil, wanted: try tree([:])) == nil)
    }

    @Test func `a changed mode is a change`() throws {
        #expect(try steps(from: ["a": ["run": ""]], to: ["a": ["run*": ""]]) == ["a: checkout", "a: activate"])
    }

    @Test func `a new unit is enabled and started, and the others restart`() throws {
        let new = with([
            "manifest.json": manifest(
                units: ["nsd.service", "nsd-exporter.service"], links: ["/etc/nsd": "conf", "/etc/cron.d/nsd": "cron"]),
            "systemd/nsd-exporter.service": "[Service]",
            "exporter.conf": "",
        ])
        #expect(
            try steps(from: ["nsd": dns], to: ["nsd": new]) == [
                "nsd: checkout",
                "nsd: activate",
                "nsd: place /etc/systemd/system/nsd-exporter.service <- systemd/nsd-exporter.service",
                "daemon-reload",
                "nsd: enable nsd-exporter.service",
                "nsd: enable nsd.service again",
                "nsd: start nsd-exporter.service, or restart it",
                "nsd: restart nsd.service (exporter.conf +1)",
                "nsd: check nsd-exporter.service",
                "nsd: check nsd.service",
            ])
    }

    @Test func `a removed unit is stopped before its files are removed`() throws {
        let new = with(["manifest.json": manifest(links: ["/etc/nsd": "conf", "/etc/cron.d/nsd": "cron"]), "systemd/nsd.service": nil])
        #expect(
            try steps(from: ["nsd": dns], to: ["nsd": new]) == [
                "nsd: checkout",
                "nsd: disable nsd.service",
                "nsd: activate",
                "nsd: unplace /etc/systemd/system/nsd.service",
                "daemon-reload",
            ])
    }

    @Test func `a unit that is no longer listed is stopped and keeps its link`() throws {
        let new = with(["manifest.json": manifest(links: ["/etc/nsd": "conf", "/etc/cron.d/nsd": "cron"])])
        #expect(try steps(from: ["nsd": dns], to: ["nsd": new]) == ["nsd: checkout", "nsd: disable nsd.service", "nsd: activate"])
    }

    @Test func `a removed app is stopped, unlinked and deleted`() throws {
        #expect(
            try steps(from: ["nsd": dns, "base": ["motd": "hi"]], to: ["base": ["motd": "hi"]]) == [
                "nsd: disable nsd.service",
                "nsd: unlink /etc/cron.d/nsd",
                "nsd: unlink /etc/nsd",
                "nsd: unplace /etc/systemd/system/nsd.service",
                "daemon-reload",
                "nsd: remove",
            ])
    }

    @Test func `a renamed app keeps its units and retargets its links`() throws {
        #expect(
            try steps(from: ["nsd": dns], to: ["dns": dns]) == [
                "dns: checkout",
                "dns: activate",
                "dns: link /etc/cron.d/nsd -> cron",
                "dns: link /etc/nsd -> conf",
                "dns: place /etc/systemd/system/nsd.service <- systemd/nsd.service again",
                "daemon-reload",
                "nsd: remove",
                "dns: enable nsd.service again",
                "dns: restart nsd.service (conf/nsd.conf +5)",
                "dns: check nsd.service",
            ])
    }

    @Test func `a unit that moves to another app keeps running`() throws {
        let a = ["manifest.json": manifest(units: ["x.service"]), "systemd/x.service": "", "f": ""]
        #expect(
            try steps(
                from: ["a": a, "b": ["g": ""]],
                to: ["a": ["f": ""], "b": ["g": "", "manifest.json": manifest(units: ["x.service"]), "systemd/x.service": ""]]) == [
                    "a: checkout",
                    "b: checkout",
                    "a: activate",
                    "b: activate",
                    "b: place /etc/systemd/system/x.service <- systemd/x.service again",
                    "daemon-reload",
                    "b: enable x.service again",
                    "b: restart x.service (systemd/x.service +0)",
                    "b: check x.service",
                ])
    }

    @Test func `a copy replaces a link, and a link a copy`() throws {
        let link = ["a": ["manifest.json": #"{"symlinks": {"/etc/x": "f"}}"#, "f": ""]]
        let copy = ["a": ["manifest.json": #"{"copies": {"/etc/x": {"source": "f", "mode": "0440", "group": "nsd"}}}"#, "f": ""]]
        #expect(try steps(from: link, to: copy) == ["a: checkout", "a: activate", "a: place /etc/x <- f 440 root:nsd"])
        #expect(try steps(from: copy, to: link) == ["a: checkout", "a: activate", "a: link /etc/x -> f"])
    }

    @Test func `a copy changes with its file, its mode and its owner, and with nothing else`() throws {
        func app(_ content: String, _ settings: String) -> [String: [String: String]] {
            ["a": ["manifest.json": #"{"copies": {"/etc/x": {"source": "f"\#(settings)}}}"#, "f": content, "g": content]]
        }
        for (content, settings, after) in [
            ("2", "", ""), ("1", #", "mode": "600""#, " 600 root:root"), ("1", #", "owner": "nsd""#, " 644 nsd:root"),
        ] {
            #expect(
                try steps(from: app("1", ""), to: app(content, settings)) == [
                    "a: checkout", "a: activate", "a: place /etc/x <- f\(after) again",
                ])
        }
        var other = app("1", "")
        other["a"]?["g"] = "2"
        #expect(try steps(from: app("1", ""), to: other) == ["a: checkout", "a: activate"])
        #expect(try steps(from: app("1", ""), to: ["a": ["f": ""]]) == ["a: checkout", "a: activate", "a: unplace /etc/x"])
    }

    @Test func `links are added, retargeted, moved and removed`() throws {
        let old = [
            "a": [
                "manifest.json": manifest(links: ["/etc/gone": "f", "/etc/stays": "f", "/etc/turned": "f", "/etc/moved": "f"]), "f": "",
                "g": "",
            ],
            "b": ["f": ""],
        ]
        let new = [
            "a": ["manifest.json": manifest(links: ["/etc/come": "f", "/etc/stays": "f", "/etc/turned": "g"]), "f": "", "g": ""],
            "b": ["manifest.json": manifest(links: ["/etc/moved": "f"]), "f": ""],
        ]
        #expect(
            try steps(from: old, to: new) == [
                "a: checkout",
                "b: checkout",
                "a: activate",
                "b: activate",
                "a: unlink /etc/gone",
                "a: link /etc/come -> f",
                "b: link /etc/moved -> f",
                "a: link /etc/turned -> g",
            ])
    }

    @Test func `a link that becomes a directory of links is removed first`() throws {
        let old = ["a": ["manifest.json": manifest(links: ["/etc/x": "d"]), "d/f": ""]]
        let new = ["a": ["manifest.json": manifest(links: ["/etc/x/y": "d"]), "d/f": ""]]
        #expect(try steps(from: old, to: new) == ["a: checkout", "a: activate", "a: unlink /etc/x", "a: link /etc/x/y -> d"])
        #expect(try steps(from: new, to: old) == ["a: checkout", "a: activate", "a: unlink /etc/x/y", "a: link /etc/x -> d"])
    }

    @Test func `links whose names are canonically equivalent are different`() throws {
        let (composed, decomposed) = ("/etc/\u{e9}", "/etc/e\u{301}")
        let old = ["a": ["manifest.json": manifest(links: [composed: "f"]), "f": ""]]
        let new = ["a": ["manifest.json": manifest(links: [decomposed: "f"]), "f": ""]]
        #expect(
            try steps(from: old, to: new)?.map { Array($0.utf8) }
                == [
                    "a: checkout", "a: activate", "a: unlink \(composed)", "a: link \(decomposed) -> f",
                ].map { Array($0.utf8) })
    }

    @Test func `a file whose name begins with a combining character is linked`() throws {
        #expect(
            try steps(from: [:], to: ["a": ["tmpfiles/\u{301}x.conf": ""]]) == [
                "a: checkout", "a: activate", "a: place /etc/tmpfiles.d/\u{301}x.conf <- tmpfiles/\u{301}x.conf", "tmpfiles",
            ])
    }

    @Test func `drop-ins are linked one by one`() throws {
        let old = ["a": ["systemd/x.service.d/1.conf": "", "systemd/x.service.d/2.conf": ""]]
        #expect(
            try steps(from: [:], to: old) == [
                "a: checkout", "a: activate",
                "a: place /etc/systemd/system/x.service.d/1.conf <- systemd/x.service.d/1.conf",
                "a: place /etc/systemd/system/x.service.d/2.conf <- systemd/x.service.d/2.conf",
                "daemon-reload",
            ])
        #expect(
            try steps(from: old, to: ["a": ["systemd/x.service.d/2.conf": "changed"]]) == [
                "a: checkout", "a: activate", "a: unplace /etc/systemd/system/x.service.d/1.conf",
                "a: place /etc/systemd/system/x.service.d/2.conf <- systemd/x.service.d/2.conf again", "daemon-reload",
            ])
    }

    @Test func `sysusers, tmpfiles and quadlets have their reactions`() throws {
        let all = ["sysusers/a.conf": "", "tmpfiles/a.conf": "", "quadlets/a.container": "", "quadlets/a.container.d/x.conf": "", "f": ""]
        #expect(
            try steps(from: [:], to: ["a": all]) == [
                "a: checkout",
                "a: activate",
                "a: place /etc/sysusers.d/a.conf <- sysusers/a.conf",
                "a: place /etc/tmpfiles.d/a.conf <- tmpfiles/a.conf",
                "sysusers",
                "tmpfiles",
                "a: place /etc/containers/systemd/a.container <- quadlets/a.container",
                "a: place /etc/containers/systemd/a.container.d/x.conf <- quadlets/a.container.d/x.conf",
                "daemon-reload",
            ])
        #expect(try steps(from: ["a": all], to: ["a": all.merging(["f": "2"]) { $1 }]) == ["a: checkout", "a: activate"])
        #expect(
            try steps(from: ["a": all], to: ["a": all.merging(["sysusers/a.conf": "2"]) { $1 }]) == [
                "a: checkout", "a: activate", "a: place /etc/sysusers.d/a.conf <- sysusers/a.conf again", "sysusers",
            ])
        #expect(
            try steps(from: ["a": all], to: ["a": all.merging(["tmpfiles/a.conf": "2"]) { $1 }]) == [
                "a: checkout", "a: activate", "a: place /etc/tmpfiles.d/a.conf <- tmpfiles/a.conf again", "tmpfiles",
            ])
        #expect(
            try steps(from: ["a": all], to: ["a": all.merging(["quadlets/a.container": "2"]) { $1 }]) == [
                "a: checkout", "a: activate", "a: place /etc/containers/systemd/a.container <- quadlets/a.container again", "daemon-reload",
            ])
        #expect(
            try steps(from: ["a": all], to: [:]) == [
                "a: stop a.service",
                "a: unplace /etc/sysusers.d/a.conf",
                "a: unplace /etc/tmpfiles.d/a.conf",
                "a: unplace /etc/containers/systemd/a.container",
                "a: unplace /etc/containers/systemd/a.container.d/x.conf",
                "daemon-reload",
                "a: remove",
            ])
    }

    @Test func `an unchanged host has no plan`() throws {
        #expect(try steps(from: ["nsd": dns], to: ["nsd": dns]) == nil)
        #expect(try steps(from: [:], to: [:]) == nil)
        #expect(HostPlan(base: nil, deployed: nil, wanted: try tree([:])) == nil)
    }

    @Test func `a plan has its base and the host's current tree`() throws {
        let base = ObjectID.of(.commit, [])
        let (old, new) = (try tree(["a": ["f": "one", "g": "two"]]), try tree(["a": ["f": "three", "g": "two"]]))
        let plan = try #require(HostPlan(base: base, deployed: old, wanted: new))
        #expect(plan.base == base)
        #expect(plan.host.text == "web1")
        #expect(plan.wanted == new)
        #expect(plan.present == Set(["one", "two"].map { ObjectID.of(.blob, Array($0.utf8)) }))
        #expect(HostPlan(base: nil, deployed: nil, wanted: new)?.present == [])
    }

    @Test func `confirmations come last, with that of the login first`() throws {
        let plan = try #require(
            HostPlan(
                base: nil, deployed: nil, wanted: try tree(["nsd": dns]), safety: Safety(guard: .always, isAtomic: true)))
        #expect(
            plan.steps.map(text).suffix(3) == [
                "nsd: check nsd.service", "confirm login (always) 45.0 seconds", "confirm every host 600.0 seconds",
            ])
    }
}
