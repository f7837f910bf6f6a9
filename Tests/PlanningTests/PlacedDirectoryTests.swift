import Model
import Planning
import TestSupport
import Testing

/// The directories of an app whose files the host's programs read.
@Suite struct PlacedDirectoryTests {
    /// A name in each that its program reads, and names that it does not.
    private static let rows: [(directory: String, target: String, read: [String], unread: [String])] = [
        ("sysctl", "/etc/sysctl.d", ["a.conf", "a b.conf"], ["a", ".a.conf", "a.conf~", "README.md"]),
        ("modules-load", "/etc/modules-load.d", ["a.conf"], ["a", "a.txt"]),
        ("udev", "/etc/udev/rules.d", ["70-a.rules"], ["70-a", "a.conf", ".a.rules"]),
        (
            "networkd", "/etc/systemd/network", ["a.network", "a.netdev", "a.link", "a.network.d/b.conf"],
            ["a.conf", "a.d/b.conf", "a.network.d/b", "a"]
        ),
        ("resolved", "/etc/systemd/resolved.conf.d", ["a.conf"], ["a"]),
        ("journald", "/etc/systemd/journald.conf.d", ["a.conf"], ["a", "journald.txt"]),
        ("logrotate", "/etc/logrotate.d", ["a", "a.conf", "A-b_c"], ["a~", "a.bak", "a.dpkg-old", ".a", "a.swp", "a.disabled"]),
        ("cron", "/etc/cron.d", ["a", "A-b_9"], ["a.sh", "a~", ".a", "a b", "\u{e9}"]),
        ("cron.hourly", "/etc/cron.hourly", ["a"], ["a.sh"]), ("cron.daily", "/etc/cron.daily", ["a"], ["a.sh"]),
        ("cron.weekly", "/etc/cron.weekly", ["a"], ["a.sh"]), ("cron.monthly", "/etc/cron.monthly", ["a"], ["a.sh"]),
        ("nftables", "/etc/nftables.d", ["a.nft", "a"], ["a.nft~", ".a.nft"]),
        ("apparmor", "/etc/apparmor.d", ["usr.bin.a", "local/usr.bin.a", "abstractions/a"], ["a.orig", "local/.a", "a.dpkg-new"]),
    ]

    @Test func `every row is tested`() {
        let old = ["systemd", "sysusers", "tmpfiles", "quadlets"]
        #expect(Set(PlacedDirectory.all.map(\.name)) == Set(Self.rows.map(\.directory) + old))
        for row in Self.rows { #expect(PlacedDirectory.all.contains { $0.name == row.directory && $0.target.text == row.target }) }
    }

    @Test(arguments: rows.map(\.directory))
    func `what is read is placed and judged, and what is not read is refused`(directory: String) throws {
        let row = try #require(Self.rows.first { $0.directory == directory })
        for name in row.read {
            let file = "\(directory)/\(name)"
            let new = try steps(from: [:], to: ["a": [file: "x"]]) ?? []
            let mode = directory.hasPrefix("cron.") ? " 755 root:root" : ""
            #expect(new.contains("a: place \(row.target)/\(name) <- \(file)\(mode)"), "\(new)")
            // Without the file, everything is as before but for the reaction.
            let gone = try steps(from: ["a": [file: "x", "f": ""]], to: ["a": ["f": ""]]) ?? []
            #expect(gone.contains("a: unplace \(row.target)/\(name)"), "\(gone)")
            #expect(reactions(new) == reactions(gone) && reactions(new).count <= 1)
            // A manifest that lists the file, or the directory, or the path, has its way.
            for links in [["/etc/x": file], ["/etc/x": directory], ["\(row.target)/\(name)": "f"], ["/srv/x": file]] {
                let own = try steps(from: [:], to: ["a": ["manifest.json": manifest(links: links), file: "x", "f": ""]]) ?? []
                #expect(!own.contains { $0.contains("place ") }, "\(own)")
            }
        }
        for name in row.unread {
            #expect(throws: TreeError.self, "\(name)") { try tree(["a": ["\(directory)/\(name)": ""]]).validate() }
            let listed = ["manifest.json": manifest(links: ["/etc/x": "\(directory)/\(name)"]), "\(directory)/\(name)": ""]
            try tree(["a": listed]).validate()
            // A version that did not know the directory has deployed it, and placed nothing.
            let old = try tree(["a": ["\(directory)/\(name)": "", "\(directory)/x/y/z": ""]])
            try old.validate(.history)
            #expect(old.apps[0].placed.allSatisfy { directory == "apparmor" && $0.path.text == "/etc/apparmor.d/x/y/z" })
        }
    }

    private func reactions(_ steps: [String]) -> [String] { steps.filter { $0.contains(" if up (") } }

    @Test func `two apps with one path are told of, but not where an older version deployed them`() throws {
        let apps = ["a": ["cron/x": ""], "b": ["cron/x": ""]]
        #expect(throws: TreeError.self) { try tree(apps).validate() }
        try tree(apps).validate(.history)
    }

    @Test func `a rule of a manifest takes the place of the usual reaction`() throws {
        func restarts(_ manifest: String) throws -> [String] {
            reactions(
                try steps(
                    from: ["a": ["manifest.json": manifest, "sysctl/a.conf": ""]],
                    to: ["a": ["manifest.json": manifest, "sysctl/a.conf": "1"]]) ?? [])
        }
        #expect(try restarts(manifest()) == ["a: restart systemd-sysctl.service if up (sysctl/a.conf +0)"])
        #expect(try restarts(manifest(onChange: ["systemd-sysctl.service": ["nothing": ["./"]]])) == [])
        #expect(
            try restarts(manifest(onChange: ["systemd-sysctl.service": ["reload": ["sysctl/"]]]))
                == ["a: reload systemd-sysctl.service if up (sysctl/a.conf +0)"])
    }

    @Test func `checks run once for all files, and in pieces if there are many`() throws {
        let few = try steps(from: [:], to: ["a": ["logrotate/a": "", "logrotate/b": ""]]) ?? []
        #expect(few.filter { $0.hasSuffix("logrotate --debug /etc/logrotate.d/a /etc/logrotate.d/b \(Duration.seconds(30))") }.count == 1)
        let files = Dictionary(uniqueKeysWithValues: (0..<120).map { ("logrotate/f\($0)", "") })
        #expect((try steps(from: [:], to: ["a": files]) ?? []).filter { $0.contains("logrotate --debug") }.count == 3)
    }

    @Test func `what the login depends on is guarded`() throws {
        for (file, isGuarded) in [
            ("networkd/a.network", true), ("nftables/a.nft", true), ("sysctl/a.conf", true), ("cron/a", false), ("journald/a.conf", false),
        ] {
            let all = try steps(from: [:], to: ["a": [file: ""]], safety: Safety()) ?? []
            #expect(all.contains { $0.hasPrefix("confirm login") } == isGuarded, "\(file)")
        }
    }
}
