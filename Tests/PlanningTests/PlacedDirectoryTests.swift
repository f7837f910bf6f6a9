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
        ("nftables", "/etc/nftables.d", ["a.nft"], ["a", "a.conf", "a.nft~", ".a.nft"]),
        ("apparmor", "/etc/apparmor.d", ["usr.bin.a", "local/usr.bin.a", "abstractions/a"], ["a.orig", "local/.a", "a.dpkg-new"]),
    ]

    @Test func `every row of the table is tested`() {
        let old = ["systemd", "sysusers", "tmpfiles", "quadlets"]
        #expect(Set(PlacedDirectory.all.map(\.name)) == Set(Self.rows.map(\.directory) + old))
        for row in Self.rows { #expect(PlacedDirectory.all.contains { $0.name == row.directory && $0.target.text == row.target }) }
    }

    @Test(arguments: rows.map(\.directory))
    func `files with names that the program reads are placed, and others are errors`(directory: String) throws {
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
            // An older version, without this kind of directory, has deployed it and placed nothing.
            let old = try tree(["a": ["\(directory)/\(name)": "", "\(directory)/x/y/z": ""]])
            try old.validate(.history)
            #expect(old.apps[0].placed.allSatisfy { directory == "apparmor" && $0.path.text == "/etc/apparmor.d/x/y/z" })
        }
    }

    private func reactions(_ steps: [String]) -> [String] { steps.filter { $0.contains(" if up (") || $0.hasSuffix(", or restart it") } }

    @Test func `two apps with one path are an error, except in a deployed tree`() throws {
        let apps = ["a": ["cron/x": ""], "b": ["cron/x": ""]]
        #expect(throws: TreeError.self) { try tree(apps).validate() }
        try tree(apps).validate(.history)
    }

    @Test func `a rule of a manifest replaces the usual reaction`() throws {
        func restarts(_ manifest: String) throws -> [String] {
            reactions(
                try steps(
                    from: ["a": ["manifest.json": manifest, "sysctl/a.conf": ""]],
                    to: ["a": ["manifest.json": manifest, "sysctl/a.conf": "1"]]) ?? [])
        }
        #expect(try restarts(manifest()) == ["a: start systemd-sysctl.service, or restart it"])
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

    @Test func `changes of networks, firewall and kernel settings are guarded`() throws {
        for (file, isGuarded) in [
            ("networkd/a.network", true), ("nftables/a.nft", true), ("sysctl/a.conf", true), ("cron/a", false), ("journald/a.conf", false),
        ] {
            let all = try steps(from: [:], to: ["a": [file: ""]], safety: Safety()) ?? []
            #expect(all.contains { $0.hasPrefix("confirm login") } == isGuarded, "\(file)")
        }
    }

    @Test func `settings, modules and profiles are loaded before services start`() throws {
        let files = [
            "manifest.json": manifest(units: ["a.service"]), "systemd/a.service": "", "sysctl/a.conf": "", "apparmor/a": "",
            "modules-load/a.conf": "",
        ]
        let steps = try steps(from: [:], to: ["a": files]) ?? []
        let service = try #require(steps.firstIndex(of: "a: start a.service, or restart it"))
        for line in [
            "a: check systemd-sysctl.service", "a: check systemd-modules-load.service", "a: reload apparmor.service if up (apparmor/a +0)",
        ] { #expect(try #require(steps.firstIndex(of: line), "\(steps)") < service) }
    }

    @Test func `a manifest's rules apply to the files they name, and the directory's to the others`() throws {
        let manifest = manifest(onChange: ["nftables.service": ["restart": ["nftables/a.nft"]]])
        func reactions(_ file: String) throws -> [String] {
            let old = ["manifest.json": manifest, "nftables/a.nft": "", "nftables/b.nft": "", "main": ""]
            return self.reactions(try steps(from: ["a": old], to: ["a": old.merging([file: "1"]) { $1 }]) ?? [])
        }
        #expect(try reactions("nftables/a.nft") == ["a: restart nftables.service if up (nftables/a.nft +0)"])
        #expect(try reactions("nftables/b.nft") == ["a: reload nftables.service if up (nftables/b.nft +0)"])
        #expect(try reactions("main") == [])
    }

    @Test func `listed files trigger no unit of the directory, and placed files no unit of the app`() throws {
        func changes(_ files: [String: String], _ file: String) throws -> [String] {
            (try steps(from: ["a": files], to: ["a": files.merging([file: "1"]) { $1 }]) ?? []).filter {
                $0.contains("restart ") || $0.contains("reload ")
            }
        }
        let listed = ["manifest.json": manifest(links: ["/etc/nftables.conf": "nftables/main.nft"]), "nftables/main.nft": ""]
        #expect(try changes(listed, "nftables/main.nft") == [])
        // Nor do such files concern the units of the app that has them.
        let shop = ["manifest.json": manifest(units: ["shop.service"]), "systemd/shop.service": "", "logrotate/shop": "", "shop.conf": ""]
        #expect(try changes(shop, "logrotate/shop") == [])
        #expect(try changes(shop, "shop.conf") == ["a: restart shop.service (shop.conf +0)"])
    }

    @Test func `placed files of a private app are closed, too`() throws {
        func modes(_ keys: String) throws -> [String] {
            (try steps(
                from: [:], to: ["a": ["manifest.json": "{\(keys)}", "networkd/a.netdev": "", "cron.daily/a": "", "systemd/a.service": ""]])
                ?? [])
                .filter { $0.contains("place ") }
        }
        #expect(
            try modes(#""private": true"#) == [
                "a: place /etc/cron.daily/a <- cron.daily/a 700 root:root",
                "a: place /etc/systemd/network/a.netdev <- networkd/a.netdev 600 root:root",
                "a: place /etc/systemd/system/a.service <- systemd/a.service",
            ])
        #expect(
            try modes(#""private": true, "group": "systemd-network""#).prefix(2) == [
                "a: place /etc/cron.daily/a <- cron.daily/a 750 root:systemd-network",
                "a: place /etc/systemd/network/a.netdev <- networkd/a.netdev 640 root:systemd-network",
            ])
    }

    @Test func `the guard does not count a reader that may be down as proof`() throws {
        for file in ["nftables/a.nft", "networkd/a.network", "networkd/a.link"] {
            let plan = try HostPlan(base: nil, deployed: nil, wanted: tree(["a": [file: ""]]), safety: Safety())
            #expect(plan?.unproven.count == 1, "\(file)")
        }
    }

    @Test func `a plan asks, for each app with settings, whether it only takes over files`() throws {
        let steps = try steps(from: ["c": ["f": ""]], to: ["a": ["sysctl/a.conf": ""], "b": ["sysctl/b.conf": ""], "c": ["f": ""]]) ?? []
        #expect(
            steps.filter { $0.contains("systemd-sysctl") } == [
                "a: start systemd-sysctl.service, or restart it", "b: start systemd-sysctl.service, or restart it",
                "a: check systemd-sysctl.service",
            ])
    }
}
