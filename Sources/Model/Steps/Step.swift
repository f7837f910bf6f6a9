/// One action of the agent on a host. A plan is a list of steps: the planner makes them, the operator reads them, the
/// wire carries them, and the agent runs them in order and undoes them in reverse.
package struct Step: Hashable, Sendable {
    /// The app that changes; nil if the step concerns the whole host.
    package var app: AppName?
    package var action: Action

    package init(_ app: AppName?, _ action: Action) {
        self.app = app
        self.action = action
    }

    package indirect enum Action: Hashable, Sendable {
        /// Materialize the app's files as a new version. This happens while staging, before the first other step.
        case checkout(for: InitialReaders)
        /// Point `current` at the new version.
        case activate
        /// Remove the app's directory.
        case remove
        /// Create or retarget a symlink at `path` that points to `source` in the app.
        case link(path: AbsolutePath, source: RelativePath)
        /// Let the link or file made at `path` replace a symlink or file that is not Deptool's, if it is exactly this
        /// one. A replaced file is kept (`Layout.kept`).
        case displace(path: AbsolutePath, Drift.Found)
        /// Remove a symlink that points into Deptool's directory.
        case unlink(path: AbsolutePath)
        /// Put a regular file with the content of `source` in the app at `path`.
        case place(path: AbsolutePath, source: RelativePath, FileAccess, Placement)
        /// Remove a placed file.
        case unplace(path: AbsolutePath)
        /// Run systemd-sysusers(8). A rollback keeps the users.
        case sysusers
        /// Let a group read the new version, which only root can read until then.
        case grant(GroupName)
        /// Open the sealed files of the app's current version for its units; with none, remove those opened before.
        case unseal(files: Int)
        /// Run systemd-tmpfiles(8) with `--create`.
        case tmpfiles
        /// Stop and disable a unit. As in the cases below, the job fails if systemd takes longer than `within`.
        case disable(UnitName, within: Duration)
        case daemonReload
        /// Enable a unit, or enable it again because the `[Install]` section of its file may have changed.
        case enable(UnitName, Enablement)
        /// Start a unit that was not enabled before, or is down. It may be running already.
        case start(UnitName, ifUp: IfUp, within: Duration)
        case restart(UnitName, because: Reason, within: Duration)
        /// Wait for the unit to come up, then watch it until it has settled. With nil, the agent chooses the time: a
        /// moment if systemd does not report readiness.
        case check(UnitName, settle: Duration?, within: Duration)
        /// Have a running unit read its files again. If the unit is down, `ifDown` decides.
        case reload(UnitName, because: Reason, ifDown: IfDown, within: Duration)
        /// Restart a unit that no app enables, if it is up.
        case restartIfUp(UnitName, because: Reason, within: Duration)
        /// Stop a unit that was never enabled: one that Podman generates from a quadlet.
        case stop(UnitName, within: Duration)
        /// Run a program that judges the app's files on the host as it will be. This happens while staging, before the
        /// first other step, and can change nothing.
        case validate([String], within: Duration)
        /// Ask a service whether it is well, until it answers as expected.
        case probe(Probe)
        /// Run a program's check of the configuration that it loads on its next start, and send the result to the client.
        case test(Test)
        /// Wait for the client to confirm. If no confirmation comes in time, roll back.
        case confirm(within: Duration, because: Confirmation)
    }

    /// A program that can check its files without loading them.
    package enum Test: UInt8, Hashable, Sendable, CaseIterable {
        /// Query sshd's settings for the operator's login, before any change and after.
        case sshdBefore, sshd
        case sudo, nftables

        /// The program and its arguments; for sshd the operator's login follows. This is not an array: if several
        /// modules of an agent inline a function with two array literals, one replaces the other (Swift 6.1).
        package var command: String {
            switch self {
            case .sshdBefore, .sshd: "/usr/sbin/sshd -T -C"
            // With the file's name, visudo skips the modes of the files, which sudo itself does not check.
            case .sudo: "visudo -c -f /etc/sudoers"
            case .nftables: "nft -c -f /etc/nftables.conf"
            }
        }
    }

    /// The condition that the client checks before it confirms.
    package enum Confirmation: Hashable, Sendable {
        /// It can still log in. `touched` is the changed path or unit that a login depends on; nil if the operator requested the check.
        case login(touched: String?)
        /// Every other host is ready to commit.
        case everyHost
        /// Every other host is ready to commit, and a program of the operator has confirmed that they answer.
        case program
    }

    /// The users who can read a version when it is created.
    package enum InitialReaders: Hashable, Sendable {
        case everybody, root
    }

    /// The treatment of a unit that is to be started but is already running.
    package enum IfUp: Hashable, Sendable {
        case leave
        /// Restart it, unless it runs with exactly the files that the app brings: then only take over its files.
        case restart
    }

    /// The treatment of a unit that is to read its files again but is down.
    package enum IfDown: Hashable, Sendable {
        case start
        /// No app lists it.
        case leave
    }

    package enum Enablement: Hashable, Sendable {
        case new, refreshed
    }

    /// Whether a placed file is new, or replaces one that Deptool placed.
    package enum Placement: Hashable, Sendable {
        case new, updated
    }

    /// The change that causes a restart: one file, and the number of others.
    package struct Reason: Hashable, Sendable {
        package var path: RelativePath
        package var others: Int

        package init(path: RelativePath, others: Int) {
            self.path = path
            self.others = others
        }

        private static var asked: Int { Int(Int32.max) }

        /// Whether the operator asked for it, and no file has changed. No change has as many files.
        package var isAsked: Bool { others == Self.asked }

        /// The path only fills its place.
        package static func asked(_ path: RelativePath) -> Reason { Reason(path: path, others: asked) }
    }
}
