import Model
import Planning
import TestSupport
import Testing

/// A repair turns manual changes on a host into the steps of ordinary changes.
@Suite struct RepairTests {
    private let dns = [
        "manifest.json": manifest(units: ["nsd.service"], links: ["/etc/nsd": "conf", "/etc/cron.d/nsd": "cron"]),
        "systemd/nsd.service": "[Service]", "conf/nsd.conf": "server:", "cron": "", "tmpfiles/nsd.conf": "d /run/nsd",
    ]

    private func repair(_ findings: Drift.Finding..., to new: [String: String]? = nil) throws -> [String]? {
        try steps(from: ["nsd": dns], to: ["nsd": new ?? dns], drift: findings.map { Drift(AppName("nsd"), $0) })
    }

    private let edited = Drift.Found.file(.of(.blob, [1]), size: 1)

    private func placed(_ path: String, _ source: String, _ found: Drift.Found) throws -> Drift.Finding {
        .placed(try AbsolutePath(path), try RelativePath(source), found)
    }

    private func link(_ path: String, _ source: String, _ found: Drift.Found) throws -> Drift.Finding {
        .link(try AbsolutePath(path), try RelativePath(source), found)
    }

    @Test func `an edited file brings a new version`() throws {
        let steps = ["nsd: checkout", "nsd: activate", "nsd: restart nsd.service (conf/nsd.conf +0)", "nsd: check nsd.service"]
        for found in [edited, .nothing, .directory, .symlink(to: "/tmp")] {
            #expect(try repair(.file(try RelativePath("conf/nsd.conf"), found)) == steps)
        }
    }

    @Test func `an added file or changed access brings a new version`() throws {
        let attributes = Drift.Attributes(mode: 0o644, uid: 0, gid: 0)
        for (finding, reason) in [
            (Drift.Finding.extra("conf/more"), "conf/more"), (.attributes("cron", found: attributes, recorded: attributes), "cron"),
            (.attributes(".", found: attributes, recorded: attributes), "current"), (.extra("\u{1b}"), "current"),
            (.current(.nothing), "current"),
        ] {
            #expect(
                try repair(finding) == [
                    "nsd: checkout", "nsd: activate", "nsd: restart nsd.service (\(reason) +0)", "nsd: check nsd.service",
                ])
        }
    }

    @Test func `a link is restored without a new version`() throws {
        #expect(
            try repair(try link("/etc/nsd", "conf", .nothing)) == [
                "nsd: link /etc/nsd -> conf", "nsd: restart nsd.service (conf +0)", "nsd: check nsd.service",
            ])
        #expect(
            try repair(try placed("/etc/tmpfiles.d/nsd.conf", "tmpfiles/nsd.conf", .symlink(to: "/var/lib/deptool/apps/x"))) == [
                "nsd: place /etc/tmpfiles.d/nsd.conf <- tmpfiles/nsd.conf again", "tmpfiles",
                "nsd: restart nsd.service (tmpfiles/nsd.conf +0)", "nsd: check nsd.service",
            ])
        #expect(
            try repair(try placed("/etc/systemd/system/nsd.service", "systemd/nsd.service", .symlink(to: "/dev/null"))) == [
                "nsd: displace /etc/systemd/system/nsd.service",
                "nsd: place /etc/systemd/system/nsd.service <- systemd/nsd.service again", "daemon-reload", "nsd: enable nsd.service again",
                "nsd: restart nsd.service (systemd/nsd.service +0)", "nsd: check nsd.service",
            ])
    }

    @Test func `a file in the place of a link is displaced, a directory is not`() throws {
        #expect(try repair(try link("/etc/nsd", "conf", edited))?.first == "nsd: displace file /etc/nsd")
        // The host reports it as an obstacle.
        #expect(try repair(try link("/etc/nsd", "conf", .directory))?.first == "nsd: link /etc/nsd -> conf")
    }

    @Test func `units are started and enabled again`() throws {
        let unit = try unitName("nsd.service")
        #expect(try repair(.unwell(unit, .exited(status: 0))) == ["nsd: start nsd.service", "nsd: check nsd.service"])
        #expect(try repair(.disabled(unit)) == ["nsd: enable nsd.service", "nsd: check nsd.service"])
        #expect(
            try repair(.disabled(unit), .unwell(unit, .exited(status: 0)), .file(try RelativePath("cron"), .nothing)) == [
                "nsd: checkout", "nsd: activate", "nsd: enable nsd.service", "nsd: restart nsd.service (cron +0)",
                "nsd: check nsd.service",
            ])
    }

    @Test func `a change and a repair share their steps`() throws {
        var new = dns
        new["conf/nsd.conf"] = "server: 2"
        #expect(
            try repair(.file(try RelativePath("conf/nsd.conf"), edited), try link("/etc/nsd", "conf", .nothing), to: new) == [
                "nsd: checkout", "nsd: activate", "nsd: link /etc/nsd -> conf", "nsd: restart nsd.service (conf +1)",
                "nsd: check nsd.service",
            ])
        // A removed app needs no repair.
        #expect(
            try steps(from: ["nsd": dns, "a": [:]], to: ["a": [:]], drift: [Drift(AppName("nsd"), .current(.nothing))])?.first
                == "nsd: disable nsd.service")
    }

    @Test func `the change of an edited file starts from the edited content`() throws {
        let host = try tree(["nsd": dns])
        let path = try RelativePath("cron")
        let plan = HostPlan(
            base: .of(.commit, []), deployed: host, wanted: host, drift: [Drift(AppName("nsd"), .file(path, edited))])
        let change = try #require(plan?.changes.first)
        #expect(change.kind == .repair)
        #expect(change.files.map(\.old?.id) == [.of(.blob, [1])])
        #expect(change.files.map(\.new?.id) == [.of(.blob, [])])
    }

    @Test func `leftovers need no step, and an unknown app is removed`() throws {
        #expect(try steps(from: ["a": [:]], to: ["a": [:]], drift: [Drift(nil, .leftover("/var/lib/deptool/store/undo"))]) == [])
        #expect(
            try steps(from: ["a": [:]], to: ["a": [:]], drift: [Drift(nil, .leftover("/var/lib/deptool/apps/old"))]) == ["old: remove"])
        #expect(try steps(from: ["a": [:]], to: ["a": [:]]) == nil)
    }

    @Test func `a repair of a file that the login depends on is guarded`() throws {
        let sshd = ["manifest.json": manifest(links: ["/etc/ssh/sshd_config": "conf"]), "conf": "Port 22"]
        let drift = [Drift(AppName("ssh"), try link("/etc/ssh/sshd_config", "conf", .nothing))]
        #expect(
            try steps(from: ["ssh": sshd], to: ["ssh": sshd], safety: Safety(), drift: drift)?.last
                == "confirm login (/etc/ssh/sshd_config) 45.0 seconds")
    }
}
