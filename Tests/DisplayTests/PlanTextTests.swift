import Model
import Planning
import TestSupport
import Testing

@testable import Display

@Suite struct PlanTextTests {
    private typealias Apps = [String: [String: String]]

    private func text(
        _ old: Apps?, _ new: Apps, safety: Safety = Safety(guard: .never), orphans: [String] = [], style: Style = .plain
    ) throws -> String {
        let base = old == nil ? nil : ObjectID.of(.commit, [])
        let plan = HostPlan(base: base, deployed: try old.map { try tree($0) }, wanted: try tree(new), safety: safety)
        return PlanText(style: style).render(Plan(hosts: [plan].compactMap { $0 }, orphans: try orphans.map(hostname)))
    }

    private let everything = [
        "manifest.json": manifest(units: ["web.service"], links: ["/etc/web": "conf"]), "systemd/web.service": "",
        "systemd/web.service.d/a.conf": "", "sysusers/u.conf": "", "tmpfiles/t.conf": "", "quadlets/q.container": "", "conf/a": "1",
        "run*": "",
    ]

    @Test func `a deployed tree that cannot be read is reported`() throws {
        var old = try tree(["web": ["conf": "1"]])
        old.apps[0].isManifestKnown = false
        old.gap = "web1/web/manifest.json:1: \u{1b}"
        let new = try tree(["web": ["conf": "2", "manifest.json": manifest(units: ["web.service"])]])
        let plan = try #require(HostPlan(base: .of(.commit, []), deployed: old, wanted: new, safety: Safety(guard: .never)))
        #expect(
            PlanText(style: .plain).render(Plan(hosts: [plan])) == """
                web1
                    ! what is deployed cannot be read (web1/web/manifest.json:1: ^[)
                      Links and units that only the deployed manifest names stay.
                    update web
                        ~ conf
                        + manifest.json
                        enable unit web.service
                        restart unit web.service (conf and 1 other file changed)

                """)
    }

    @Test func `the plan shows checks and probes of unchanged apps`() throws {
        let manifest = """
            {"systemd": {"units_enabled": ["web.service"], "on_change": {"web.service": {"reload": ["../sites/"]}}},
             "checks": [["/usr/sbin/web", "-t"]], "health": [{"tcp": "127.0.0.1:80"}]}
            """
        func apps(_ page: String) -> Apps { ["sites": ["page": page], "web": ["manifest.json": manifest]] }
        #expect(
            try text(apps("1"), apps("2")) == """
                web1
                    update sites
                        ~ page
                        reload unit web.service (sites/page changed)
                    leave web as it is
                        check /usr/sbin/web -t before anything changes
                        probe tcp 127.0.0.1:80

                """)
    }

    @Test func `a new host shows everything it gets`() throws {
        #expect(
            try text(nil, ["web": everything]) == """
                web1 (new host)
                    add web
                        + conf/a
                        + manifest.json
                        + quadlets/q.container
                        + run
                        + systemd/web.service
                        + systemd/web.service.d/a.conf
                        + sysusers/u.conf
                        + tmpfiles/t.conf
                        link /etc/web -> conf
                        place sysusers u.conf
                        place tmpfiles t.conf
                        run systemd-sysusers
                        run systemd-tmpfiles
                        place quadlet q.container
                        place unit web.service
                        place unit web.service.d/a.conf
                        reload systemd
                        enable unit web.service
                        start unit web.service (restart it if it runs with other files)

                """)
    }

    @Test func `a removed app shows all that is removed with it`() throws {
        #expect(
            try text(["web": everything, "base": [:]], ["base": [:]]) == """
                web1
                    remove web
                        - conf/a
                        - manifest.json
                        - quadlets/q.container
                        - run
                        - systemd/web.service
                        - systemd/web.service.d/a.conf
                        - sysusers/u.conf
                        - tmpfiles/t.conf
                        stop and disable unit web.service
                        stop unit q.service
                        unlink /etc/web (nothing takes its place)
                        remove sysusers u.conf
                        remove tmpfiles t.conf
                        remove quadlet q.container
                        remove unit web.service
                        remove unit web.service.d/a.conf
                        reload systemd

                """)
    }

    @Test func `a changed file restarts units, and the plan has the reason`() throws {
        #expect(
            try text(["web": everything], ["web": everything.merging(["conf/a": "2"]) { $1 }]) == """
                web1
                    update web
                        ~ conf/a
                        restart unit web.service (conf/a changed)

                """)
        #expect(
            try text(["web": everything], ["web": everything.merging(["conf/a": "2", "conf/b": ""]) { $1 }]) == """
                web1
                    update web
                        ~ conf/a
                        + conf/b
                        restart unit web.service (conf/a and 1 other file changed)

                """)
        #expect(
            try text(["web": everything], ["web": everything.merging(["conf/a": "2", "conf/b": "", "conf/c": ""]) { $1 }])
                .hasSuffix("        restart unit web.service (conf/a and 2 other files changed)\n"))
    }

    @Test func `a changed mode is shown`() throws {
        #expect(
            try text(["a": ["run": "", "stop*": ""]], ["a": ["run*": "", "stop": "new"]]) == """
                web1
                    update a
                        ~ run (now executable)
                        ~ stop (no longer executable)

                """)
    }

    @Test func `a guarded plan lists its conditions`() throws {
        let old = ["a": ["f": "1", "manifest.json": manifest(links: ["/etc/ssh/sshd_config": "f"])]]
        let new = ["a": ["f": "2", "manifest.json": manifest(links: ["/etc/ssh/sshd_config": "f"])]]
        #expect(
            try text(old, new, safety: Safety(isAtomic: true)) == """
                web1
                    update a
                        ~ f
                    test what sshd reads when it restarts, and whether that lets you in
                    keep it only if a new login works (/etc/ssh/sshd_config is touched)
                    keep it only if every host succeeds

                """)
        #expect(
            try text([:], ["a": ["f": "2", "manifest.json": manifest(links: ["/etc/sysctl.d/x.conf": "f"])]], safety: Safety()) == """
                web1
                    add a
                        + f
                        + manifest.json
                        link /etc/sysctl.d/x.conf -> f
                    keep it only if a new login works (/etc/sysctl.d/x.conf is touched)
                    the login proves nothing about /etc/sysctl.d/x.conf, which is read at a restart or boot

                """)
        #expect(
            try text(["a": ["f": "1"]], ["a": ["f": "2"]], safety: Safety(guard: .always)) == """
                web1
                    update a
                        ~ f
                    keep it only if a new login works

                """)
    }

    @Test func `hosts are separated, and those removed from the tree are named`() throws {
        let plans = try ["web1", "web2"].map {
            try #require(HostPlan(base: nil, deployed: nil, wanted: try tree(["a": ["f": ""]], host: $0)))
        }
        #expect(
            PlanText(style: .plain).render(Plan(hosts: plans, orphans: [try hostname("old1"), try hostname("old2")])) == """
                web1 (new host)
                    add a
                        + f

                web2 (new host)
                    add a
                        + f

                Not in the config tree any more, but still deployed:
                    old1
                    old2
                `deptool deploy --remove-host NAME` empties such a host, `deptool forget NAME` leaves it as it is.

                """)
    }

    @Test func `file names cannot control the terminal`() throws {
        #expect(
            try text(nil, ["a": ["\u{202e}fdp": "", "x\u{9b}31m": ""]]) == """
                web1 (new host)
                    add a
                        + x\\u{9b}31m
                        + \\u{202e}fdp

                """)
    }

    @Test func `colour adds nothing but colour`() throws {
        let old: Apps = ["a": ["f": "1", "g": "1", "x": "1"]]
        let new: Apps = ["a": ["f": "2", "h": "1", "x*": "1"]]
        #expect(
            try text(old, new, style: .color) == """
                \u{1b}[1mweb1\u{1b}[0m
                    update a
                        \u{1b}[33m~ f\u{1b}[0m
                        \u{1b}[31m- g\u{1b}[0m
                        \u{1b}[32m+ h\u{1b}[0m
                        \u{1b}[33m~ x\u{1b}[0m (now executable)

                """)
        #expect(try text(old, new) == withoutColor(try text(old, new, style: .color)))
    }

    @Test(arguments: [
        (Step.Action.checkout(for: .everybody), "changing files and links"), (.activate, "changing files and links"),
        (.remove, "changing files and links"),
        (.sysusers, "creating users"), (.tmpfiles, "creating temporary files"), (.daemonReload, "reloading systemd"),
        (.confirm(within: .seconds(1), because: .login(touched: nil)), "trying a new login"),
        (.confirm(within: .seconds(1), because: .everyHost), "waiting for the other hosts"),
    ])
    func `a step has a phrase for its progress`(action: Step.Action, phrase: String) {
        #expect(Step(nil, action).progress == phrase)
    }

    @Test func `a step of a unit names it`() throws {
        let unit = try unitName("a.service")
        let actions: [Step.Action] = [
            .disable(unit, within: .zero), .enable(unit, .new), .start(unit, ifUp: .leave, within: .zero),
            .restart(unit, because: .init(path: try RelativePath("f"), others: 0), within: .zero),
            .check(unit, settle: nil, within: .zero),
        ]
        #expect(
            actions.map { Step(nil, $0).progress } == [
                "stopping a.service", "enabling a.service", "starting a.service", "restarting a.service", "checking a.service",
            ])
    }
}

/// The text less its colour sequences.
func withoutColor(_ text: String) -> String { text.replacing(/\u{1b}\[[0-9;]*m/, with: "") }
