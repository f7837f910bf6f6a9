/// The paths that Deptool uses on a host. All but links are below one directory.
package enum Layout {
    package static var root: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool") }
    package static var agents: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/bin") }
    package static var apps: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/apps") }
    /// Mode 0700. Holds record, lock, journal, undo data and log.
    package static var store: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store") }
    package static var record: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/record") }
    package static var lock: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/lock") }
    package static var journal: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/journal") }
    package static var undo: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/undo") }
    /// Partially transferred large files, named by their ids.
    package static var partial: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/partial") }
    @inline(never) package static func partial(_ content: ObjectID) -> AbsolutePath {
        AbsolutePath(unchecked: partial.text + "/" + content.hex)
    }
    /// The place of a foreign file that was at `path`, once the deploy that replaced it is committed.
    @inline(never) package static func kept(_ path: AbsolutePath, by version: Version) -> AbsolutePath {
        AbsolutePath(unchecked: store.text + "/kept/" + version.text + path.text)
    }
    package static var log: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/log") }
    /// The prefix of the names of Deptool's own units.
    package static var unitPrefix: String { "deptool-" }
    /// The unit that recovers at boot, present as long as a transaction is open. It is a regular file because systemd
    /// reads it before `/var` may be mounted.
    package static var bootUnit: AbsolutePath { AbsolutePath(literal: "/etc/systemd/system/deptool-recover.service") }
    /// The file to which version 1 linked `bootUnit`.
    package static var oldBootUnit: AbsolutePath { AbsolutePath(literal: "/var/lib/deptool/store/deptool-recover.service") }
    package static var bootUnitWanted: AbsolutePath {
        AbsolutePath(literal: "/etc/systemd/system/sysinit.target.wants/deptool-recover.service")
    }
    /// Deptool's own directories with their modes, outermost first.
    package static var directories: [(path: AbsolutePath, mode: UInt32)] {
        [(root, 0o755), (agents, 0o755), (apps, 0o755), (store, 0o700)]
    }
    /// Whether a symlink with this target is Deptool's: only Deptool's symlinks point into its directory.
    @inline(never) package static func isOurs(_ target: String) -> Bool { begins(target, "/var/lib/deptool/") }

    /// Opened secrets, each in the directory of its app: a ramfs, which is never written to a disk.
    package static var secrets: AbsolutePath { AbsolutePath(literal: "/run/deptool/secrets") }
    /// The key that opens sealed files, on a host that `deptool secret enroll` gave one.
    package static var identityDirectory: AbsolutePath { AbsolutePath(literal: "/etc/deptool") }
    package static var identity: AbsolutePath { AbsolutePath(literal: "/etc/deptool/identity") }
    /// The host's SSH key, which opens them on all others.
    package static var hostKey: AbsolutePath { AbsolutePath(literal: "/etc/ssh/ssh_host_ed25519_key") }
    /// The unit that opens secrets at boot, present as long as an app has any.
    package static var secretsUnit: AbsolutePath { AbsolutePath(literal: "/etc/systemd/system/deptool-secrets.service") }
    package static var secretsUnitWanted: AbsolutePath {
        AbsolutePath(literal: "/etc/systemd/system/sysinit.target.wants/deptool-secrets.service")
    }

    package static var etc: AbsolutePath { AbsolutePath(literal: "/etc") }
    package static var unitLinks: AbsolutePath { AbsolutePath(literal: "/etc/systemd/system") }
    /// The directories of unit files, the administrator's first.
    package static var unitDirectories: [AbsolutePath] {
        [unitLinks] + ["/usr/local/lib", "/usr/lib", "/lib"].map { AbsolutePath(unchecked: $0 + "/systemd/system") }
    }
    /// The directories in which System V scripts are enabled (update-rc.d(8)).
    package static var runlevels: [AbsolutePath] {
        ["0", "1", "2", "3", "4", "5", "6", "S"].map { AbsolutePath(unchecked: "/etc/rc" + $0 + ".d") }
    }
    package static var sysusers: AbsolutePath { AbsolutePath(literal: "/etc/sysusers.d") }
    package static var tmpfiles: AbsolutePath { AbsolutePath(literal: "/etc/tmpfiles.d") }
    /// Podman's quadlets, the generators that turn them into units, and the directory of these units.
    package static var quadlets: AbsolutePath { AbsolutePath(literal: "/etc/containers/systemd") }
    package static var quadletGenerators: [AbsolutePath] {
        ["/usr/lib", "/lib", "/usr/local/lib", "/etc", "/run"].map {
            AbsolutePath(unchecked: $0 + "/systemd/system-generators/podman-system-generator")
        }
    }
    package static var generatedUnits: AbsolutePath { AbsolutePath(literal: "/run/systemd/generator") }
    package static var groups: AbsolutePath { AbsolutePath(literal: "/etc/group") }
    package static var users: AbsolutePath { AbsolutePath(literal: "/etc/passwd") }
    package static var hostname: AbsolutePath { AbsolutePath(literal: "/etc/hostname") }
    package static var machineID: AbsolutePath { AbsolutePath(literal: "/etc/machine-id") }
    /// The machine id that is valid for this boot only.
    package static var transientMachineID: AbsolutePath { AbsolutePath(literal: "/run/machine-id") }
    /// The kernel's reports of load, memory and uptime (proc(5)).
    package static var kernelReports: [AbsolutePath] {
        ["loadavg", "meminfo", "uptime"].map { AbsolutePath(unchecked: "/proc/" + $0) }
    }
    /// File systems that must not run out of space.
    package static var watchedDisks: [AbsolutePath] { [AbsolutePath(literal: "/"), AbsolutePath(literal: "/var")] }
    /// Present if a package requires a reboot (Debian Policy, update-notifier).
    package static var rebootRequired: AbsolutePath { AbsolutePath(literal: "/run/reboot-required") }
    /// The agent's control group in cgroups v2, in systemd's hybrid layout, and in cgroups v1.
    package static var controlGroups: [AbsolutePath] {
        ["", "/unified", "/systemd"].map { AbsolutePath(unchecked: "/sys/fs/cgroup" + $0 + "/system.slice/deptool-agent") }
    }
    /// Present if systemd is the running init (sd_booted(3)).
    package static var systemdRunning: AbsolutePath { AbsolutePath(literal: "/run/systemd/system") }
}

extension AppName {
    @inline(never) private func below(_ directory: AbsolutePath, _ rest: String) -> AbsolutePath {
        AbsolutePath(unchecked: directory.text + "/" + text + rest)
    }

    /// The app's directory on a host. It holds the versions and the links `current` and `previous`.
    @inline(never) package var directory: AbsolutePath { below(Layout.apps, "") }
    @inline(never) package var current: AbsolutePath { below(Layout.apps, "/current") }
    @inline(never) package var previous: AbsolutePath { below(Layout.apps, "/previous") }
    /// The app's directory between its removal and the commit.
    @inline(never) package var removed: AbsolutePath { below(Layout.undo, ".removed") }

    /// The directory of the app's opened secrets.
    @inline(never) package var secrets: AbsolutePath { below(Layout.secrets, "") }

    /// The secrets that were open before a deploy, while it is under way.
    @inline(never) package var keptSecrets: AbsolutePath { AbsolutePath(unchecked: Layout.secrets.text + "/." + text) }
    /// The same while it comes or goes.
    @inline(never) package var keptSecretsDraft: AbsolutePath { AbsolutePath(unchecked: Layout.secrets.text + "/.." + text) }

    @inline(never) package func version(_ version: Version) -> AbsolutePath { below(Layout.apps, "/" + version.text) }
    @inline(never) package func staging(_ version: Version) -> AbsolutePath { below(Layout.apps, "/" + version.text + ".staging") }
}

/// The version of an app on a host: the first ten hex digits of the deployed commit, which name the checkout directory.
package struct Version: Hashable, Sendable {
    package let text: String

    package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }

    package init(_ commit: ObjectID) { text = commit.short }

    /// Nil unless the text is exactly ten hexadecimal digits.
    @inline(never) package init?(_ text: String) {
        guard text.utf8.count == 10, ObjectID(hex: text + "000000000000000000000000000000") != nil else { return nil }
        self.text = text
    }
}
