import Model

/// A directory of an app whose files are placed in a directory of the host. To support another one, add a row to `all`.
package struct PlacedDirectory: Hashable, Sendable {
    /// The effect of a change in such a directory.
    package enum Effect: Hashable, Sendable {
        case daemonReload, sysusers, tmpfiles
        /// The unit of the distribution that reads the files reacts, as by a rule of `systemd.on_change`.
        case unit(String, Reaction, ifDown: Step.IfDown = .leave)
        /// Their program reads the files whenever it runs.
        case nothing
    }

    /// The files that the directory's program reads.
    package enum Names: Hashable, Sendable {
        /// systemd's unit files or Podman's quadlets, and their drop-ins.
        case units, quadlets
        /// Those that end in one of these.
        case suffixes([String])
        /// The same, and drop-ins in directories such as `eth0.network.d`.
        case networks
        /// Letters, digits, `_` and `-`, as for run-parts(8) and cron(8).
        case plain
        /// All that do not look like a backup, as for logrotate(8) and AppArmor.
        case noBackups
    }

    /// The directory's name in an app.
    package let name: String
    /// The directory on the host.
    package let target: AbsolutePath
    /// The plan's word for a file in it.
    package let noun: String
    /// The program that reads it.
    package let reader: String
    package let names: Names
    package let effect: Effect
    /// The mode of its files, all of which belong to root.
    package var mode: UInt32 = 0o644
    /// Whether it may have directories of any name.
    package var hasSubdirectories = false
    /// The commands that judge the files before anything changes. The files follow the name of a program, which need not be there.
    /// An absolute path has to be there.
    package var checks: [[String]] = []

    private init(
        _ name: String, _ target: AbsolutePath, noun: String? = nil, reader: String, _ names: Names, _ effect: Effect
    ) {
        self.name = name
        self.target = target
        self.noun = noun ?? name
        self.reader = reader
        self.names = names
        self.effect = effect
    }

    /// Whether a manifest's own symlinks and copies must stay out of the host's directory.
    package var isExclusive: Bool { [.daemonReload, .sysusers].contains(effect) }

    /// Whether every file in it is placed, regardless of its name: an older version, which did not check names, may have deployed it.
    package var placesAll: Bool { isExclusive || effect == .tmpfiles }

    /// Whether it may hold directories `NAME.d`, whose files are beside files from other sources.
    package var hasDropIns: Bool { [.units, .quadlets, .networks].contains(names) }

    package static let all: [PlacedDirectory] =
        [
            PlacedDirectory("systemd", Layout.unitLinks, noun: "unit", reader: "systemd", .units, .daemonReload),
            PlacedDirectory("sysusers", Layout.sysusers, reader: "systemd-sysusers", .suffixes([".conf"]), .sysusers),
            PlacedDirectory("tmpfiles", Layout.tmpfiles, reader: "systemd-tmpfiles", .suffixes([".conf"]), .tmpfiles),
            PlacedDirectory("quadlets", Layout.quadlets, noun: "quadlet", reader: "Podman", .quadlets, .daemonReload),
            PlacedDirectory(
                "sysctl", AbsolutePath(literal: "/etc/sysctl.d"), reader: "systemd-sysctl", .suffixes([".conf"]),
                .unit("systemd-sysctl.service", .restart, ifDown: .start)),
            PlacedDirectory(
                "modules-load", AbsolutePath(literal: "/etc/modules-load.d"), reader: "systemd-modules-load", .suffixes([".conf"]),
                .unit("systemd-modules-load.service", .restart, ifDown: .start)),
            PlacedDirectory(
                "udev", AbsolutePath(literal: "/etc/udev/rules.d"), reader: "udev", .suffixes([".rules"]),
                .unit("systemd-udevd.service", .reload)
            ).checked(by: ["udevadm", "verify", "--no-style"]),
            PlacedDirectory(
                "networkd", AbsolutePath(literal: "/etc/systemd/network"), reader: "systemd-networkd", .networks,
                .unit("systemd-networkd.service", .restart)),
            PlacedDirectory(
                "resolved", AbsolutePath(literal: "/etc/systemd/resolved.conf.d"), reader: "systemd-resolved", .suffixes([".conf"]),
                .unit("systemd-resolved.service", .restart)),
            PlacedDirectory(
                "journald", AbsolutePath(literal: "/etc/systemd/journald.conf.d"), reader: "systemd-journald", .suffixes([".conf"]),
                .unit("systemd-journald.service", .restart)),
            PlacedDirectory("logrotate", AbsolutePath(literal: "/etc/logrotate.d"), reader: "logrotate", .noBackups, .nothing)
                .checked(by: ["logrotate", "--debug"]),
            PlacedDirectory("cron", AbsolutePath(literal: "/etc/cron.d"), reader: "cron", .plain, .nothing),
            PlacedDirectory(
                "nftables", AbsolutePath(literal: "/etc/nftables.d"), reader: "nftables", .suffixes([".nft"]),
                .unit("nftables.service", .reload)
            ).checked(
                by: ["/usr/bin/grep", "-qE", #"^[[:space:]]*include "/etc/nftables\.d/\*(\.nft)?""#, "/etc/nftables.conf"],
                ["/usr/sbin/nft", "-c", "-f", "/etc/nftables.conf"]),
            PlacedDirectory(
                "apparmor", AbsolutePath(literal: "/etc/apparmor.d"), reader: "AppArmor", .noBackups,
                .unit("apparmor.service", .reload)
            ).checked(by: ["apparmor_parser", "--skip-kernel-load", "--skip-cache"]).withSubdirectories(),
        ]
        + ["hourly", "daily", "weekly", "monthly"].compactMap { period in
            guard let target = try? AbsolutePath("/etc/cron." + period) else { return nil }
            return PlacedDirectory("cron." + period, target, noun: "\(period) program", reader: "run-parts", .plain, .nothing).executable()
        }

    /// Files of a private app are closed to the users of the host here, too. Unit files and their like are not: systemd shows them
    /// to everybody.
    func access(for readers: Manifest.Readers) -> FileAccess {
        switch readers {
        case .root where !placesAll: FileAccess(mode: mode & 0o700)
        case .group(let group) where !placesAll: FileAccess(mode: mode & 0o750, group: group)
        default: FileAccess(mode: mode)
        }
    }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    private static let maximumName = all.map(\.name.utf8.count).max() ?? 0

    /// The directory that a file of an app is in; nil for other files.
    static func holding(_ file: RelativePath) -> PlacedDirectory? {
        let text = file.text
        guard let slash = text.utf8.prefix(maximumName + 1).firstIndex(of: UInt8(ascii: "/")) else { return nil }
        return byName[String(text[..<slash])]
    }

    private func checked(by commands: [String]...) -> Self {
        var row = self
        row.checks = commands
        return row
    }

    private func withSubdirectories() -> Self {
        var row = self
        row.hasSubdirectories = true
        return row
    }

    private func executable() -> Self {
        var row = self
        row.mode = 0o755
        return row
    }
}
