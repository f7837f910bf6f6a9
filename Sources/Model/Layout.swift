/// Where Deptool keeps its things on a host. Everything below one directory, but for links.
public enum Layout {
    public static var root: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool") }
    public static var agents: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/bin") }
    public static var apps: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/apps") }
    /// Mode 0700: record, lock, journal, undo data, log.
    public static var store: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store") }
    public static var record: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/record") }
    public static var lock: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/lock") }
    public static var journal: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/journal") }
    public static var undo: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/undo") }
    /// Large files of which only a part has arrived, by their ids.
    public static var partial: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/partial") }
    @inline(never) public static func partial(_ content: ObjectID) -> AbsolutePath {
        AbsolutePath(unchecked: partial.text + "/" + content.hex)
    }
    /// Where a file of somebody else that was at `path` is kept, once the deploy that took its place is committed.
    @inline(never) public static func kept(_ path: AbsolutePath, by version: Version) -> AbsolutePath {
        AbsolutePath(unchecked: store.text + "/kept/" + version.text + path.text)
    }
    public static var log: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/log") }
    /// How the names of Deptool's own units begin.
    public static var unitPrefix: String { "deptool-" }
    /// The unit that recovers at boot, there for as long as a transaction is open. A regular file: systemd reads it before
    /// `/var` may be mounted.
    public static var bootUnit: AbsolutePath { AbsolutePath(unchecked: "/etc/systemd/system/deptool-recover.service") }
    /// Where version 1 kept it, and linked it from `bootUnit`.
    public static var oldBootUnit: AbsolutePath { AbsolutePath(unchecked: "/var/lib/deptool/store/deptool-recover.service") }
    public static var bootUnitWanted: AbsolutePath {
        AbsolutePath(unchecked: "/etc/systemd/system/sysinit.target.wants/deptool-recover.service")
    }
    /// Deptool's own directories, the outermost first, and their modes.
    public static var directories: [(path: AbsolutePath, mode: UInt32)] {
        [(root, 0o755), (agents, 0o755), (apps, 0o755), (store, 0o700)]
    }
    /// Whether a symlink with this target is Deptool's: nobody else points in here.
    @inline(never) public static func isOurs(_ target: String) -> Bool { begins(target, "/var/lib/deptool/") }

    public static var etc: AbsolutePath { AbsolutePath(unchecked: "/etc") }
    public static var unitLinks: AbsolutePath { AbsolutePath(unchecked: "/etc/systemd/system") }
    /// Where unit files are, those of administrators first.
    public static var unitDirectories: [AbsolutePath] {
        [unitLinks] + ["/usr/local/lib", "/usr/lib", "/lib"].map { AbsolutePath(unchecked: $0 + "/systemd/system") }
    }
    /// Where System V scripts are enabled (update-rc.d(8)).
    public static var runlevels: [AbsolutePath] {
        ["0", "1", "2", "3", "4", "5", "6", "S"].map { AbsolutePath(unchecked: "/etc/rc" + $0 + ".d") }
    }
    public static var sysusers: AbsolutePath { AbsolutePath(unchecked: "/etc/sysusers.d") }
    public static var tmpfiles: AbsolutePath { AbsolutePath(unchecked: "/etc/tmpfiles.d") }
    /// Where Podman looks for quadlets, what makes units of them, and where these are.
    public static var quadlets: AbsolutePath { AbsolutePath(unchecked: "/etc/containers/systemd") }
    public static var quadletGenerators: [AbsolutePath] {
        ["/usr/lib", "/lib", "/usr/local/lib", "/etc", "/run"].map { AbsolutePath(unchecked: $0 + "/systemd/system-generators/podman-system-generator") }
    }
    public static var generatedUnits: AbsolutePath { AbsolutePath(unchecked: "/run/systemd/generator") }
    public static var groups: AbsolutePath { AbsolutePath(unchecked: "/etc/group") }
    public static var users: AbsolutePath { AbsolutePath(unchecked: "/etc/passwd") }
    public static var hostname: AbsolutePath { AbsolutePath(unchecked: "/etc/hostname") }
    public static var machineID: AbsolutePath { AbsolutePath(unchecked: "/etc/machine-id") }
    /// Where systemd keeps one that is good for this boot only.
    public static var transientMachineID: AbsolutePath { AbsolutePath(unchecked: "/run/machine-id") }
    /// What the kernel says of load, memory, and the time since it booted (proc(5)).
    public static var kernelReports: [AbsolutePath] {
        ["loadavg", "meminfo", "uptime"].map { AbsolutePath(unchecked: "/proc/" + $0) }
    }
    /// Where space must not run out.
    public static var watchedDisks: [AbsolutePath] { [AbsolutePath(unchecked: "/"), AbsolutePath(unchecked: "/var")] }
    /// Exists where a package wants the host to be booted anew (Debian Policy, update-notifier).
    public static var rebootRequired: AbsolutePath { AbsolutePath(unchecked: "/run/reboot-required") }
    /// The agent's control group: in cgroups v2, in systemd's hybrid layout, in cgroups v1.
    public static var controlGroups: [AbsolutePath] {
        ["", "/unified", "/systemd"].map { AbsolutePath(unchecked: "/sys/fs/cgroup" + $0 + "/system.slice/deptool-agent") }
    }
    /// Exists where systemd is the running init (sd_booted(3)).
    public static var systemdRunning: AbsolutePath { AbsolutePath(unchecked: "/run/systemd/system") }
}

extension AppName {
    @inline(never) private func below(_ directory: AbsolutePath, _ rest: String) -> AbsolutePath {
        AbsolutePath(unchecked: directory.text + "/" + text + rest)
    }

    /// The app's directory on a host, which holds its versions and the links `current` and `previous`.
    @inline(never) public var directory: AbsolutePath { below(Layout.apps, "") }
    @inline(never) public var current: AbsolutePath { below(Layout.apps, "/current") }
    @inline(never) public var previous: AbsolutePath { below(Layout.apps, "/previous") }
    /// Where the whole app is kept between its removal and the commit.
    @inline(never) public var removed: AbsolutePath { below(Layout.undo, ".removed") }

    @inline(never) public func version(_ version: Version) -> AbsolutePath { below(Layout.apps, "/" + version.text) }
    @inline(never) public func staging(_ version: Version) -> AbsolutePath { below(Layout.apps, "/" + version.text + ".staging") }
}

/// The version of an app on a host: the name of its checkout directory, ten hex digits of the commit that deployed it.
public struct Version: Hashable, Sendable {
    public let text: String

    public static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    public func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }

    public init(_ commit: ObjectID) { text = commit.short }

    /// Nil unless there are exactly ten hexadecimal digits.
    @inline(never) public init?(_ text: String) {
        guard text.utf8.count == 10, ObjectID(hex: text + "000000000000000000000000000000") != nil else { return nil }
        self.text = text
    }
}

/// A directory of an app whose files are placed in a directory of the host. Another kind of such a directory is one more row
/// here.
public struct LinkDirectory: Hashable, Sendable {
    /// What has to run on the host when something in such a directory changes.
    public enum Reaction: Sendable {
        case daemonReload, sysusers, tmpfiles
    }

    /// The directory's name in an app.
    public let name: String
    /// Where on the host the files are.
    public let target: AbsolutePath
    /// What a file in it is called in the plan.
    public let noun: String
    public let reaction: Reaction
    /// Whether it may hold directories `NAME.d`, whose files lie beside those of others.
    public let hasDropIns: Bool

    /// Whether a manifest's own symlinks must keep out of the host's directory.
    public let isExclusive: Bool

    private init(
        _ name: String, _ target: AbsolutePath, noun: String, _ reaction: Reaction, hasDropIns: Bool = false,
        isExclusive: Bool = true
    ) {
        self.name = name
        self.target = target
        self.noun = noun
        self.reaction = reaction
        self.hasDropIns = hasDropIns
        self.isExclusive = isExclusive
    }

    public static var all: [LinkDirectory] {
        [
            LinkDirectory("systemd", Layout.unitLinks, noun: "unit", .daemonReload, hasDropIns: true),
            LinkDirectory("sysusers", Layout.sysusers, noun: "sysusers", .sysusers),
            LinkDirectory("tmpfiles", Layout.tmpfiles, noun: "tmpfiles", .tmpfiles, isExclusive: false),
            LinkDirectory("quadlets", Layout.quadlets, noun: "quadlet", .daemonReload, hasDropIns: true),
        ]
    }
}
