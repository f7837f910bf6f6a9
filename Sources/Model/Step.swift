/// One thing that the agent does to a host. A plan is a list of steps: the planner makes them, the operator reads them,
/// the wire carries them, the agent runs them in order and undoes them in reverse.
package struct Step: Hashable, Sendable {
    /// Whose change this is; nil for what concerns the whole host.
    package var app: AppName?
    package var action: Action

    package init(_ app: AppName?, _ action: Action) {
        self.app = app
        self.action = action
    }

    package indirect enum Action: Hashable, Sendable {
        /// Materialize the app's files as a new version; done while staging, before the first other step.
        case checkout(for: Readers)
        /// Point `current` at the new version.
        case activate
        /// Take the app's directory away.
        case remove
        /// Create or retarget a symlink at `path` that points to `source` in the app.
        case link(path: AbsolutePath, source: RelativePath)
        /// Let the link or file that is made at `path` take the place of a symlink or file that is not Deptool's: exactly this one.
        /// A file is kept (`Layout.kept`).
        case displace(path: AbsolutePath, Drift.Found)
        /// Remove a symlink that points into Deptool's directory.
        case unlink(path: AbsolutePath)
        /// Put a regular file with the content of `source` in the app at `path`.
        case place(path: AbsolutePath, source: RelativePath, FileAccess, Placement)
        /// Remove a file that was placed.
        case unplace(path: AbsolutePath)
        /// Run systemd-sysusers(8); users stay when undone.
        case sysusers
        /// Let a group read the new version, which only root can before that.
        case grant(GroupName)
        /// Run systemd-tmpfiles(8) with `--create`.
        case tmpfiles
        /// Stop and disable a unit. Here as below, systemd may take the time `within` for the job; then it is given up.
        case disable(UnitName, within: Duration)
        case daemonReload
        /// Enable a unit, or do so again because its file, which says where it is wanted, may say something else now.
        case enable(UnitName, Enablement)
        /// Start a unit that was not enabled before, or is down. It may run all the same.
        case start(UnitName, ifUp: IfUp, within: Duration)
        case restart(UnitName, because: Reason, within: Duration)
        /// Wait for the unit to come up, and judge it for as long as it has to settle; nil for the agent's own measure: a
        /// moment where systemd cannot tell that the unit is ready.
        case check(UnitName, settle: Duration?, within: Duration)
        /// Run a program that reads what it will run with from its next start on, and tell the client what it says.
        case test(Test)
        /// Wait for the client to say that all is well; without a word in time, everything is undone.
        case confirm(within: Duration, because: Confirmation)
    }

    /// A program that can test its files without running with them.
    package enum Test: UInt8, Hashable, Sendable, CaseIterable {
        /// How sshd treats the operator's login, before anything changes and after.
        case sshdBefore, sshd
        case sudo, nftables

        /// The program and its arguments; for sshd the operator's login follows. No arrays: of two literals in a function that
        /// several modules of an agent inline, one takes the other's place (Swift 6.1).
        package var command: String {
            switch self {
            case .sshdBefore, .sshd: "/usr/sbin/sshd -T -C"
            // With the file's name, it leaves out the modes of the files, which sudo itself does not ask for.
            case .sudo: "visudo -c -f /etc/sudoers"
            case .nftables: "nft -c -f /etc/nftables.conf"
            }
        }
    }

    /// What the client makes sure of before it confirms.
    package enum Confirmation: Hashable, Sendable {
        /// It can still log in, since this, which the login depends on, is touched; nil when the operator wants that anyway.
        case login(touched: String?)
        /// Every other host is ready to commit, too.
        case everyHost
    }

    /// Who can read a version when it is made.
    package enum Readers: Hashable, Sendable {
        case everybody, root
    }

    /// What becomes of a unit that is to be started, and runs already.
    package enum IfUp: Hashable, Sendable {
        case leave
        /// Restart it, unless it runs with the very files that the app brings: then they are only taken over.
        case restart
    }

    package enum Enablement: Hashable, Sendable {
        case new, refreshed
    }

    /// Whether a file is placed where none of Deptool's was, or takes the place of one.
    package enum Placement: Hashable, Sendable {
        case new, updated
    }

    /// The change that a restart is for: a file, and how many more there are.
    package struct Reason: Hashable, Sendable {
        package var path: RelativePath
        package var others: Int

        package init(path: RelativePath, others: Int) {
            self.path = path
            self.others = others
        }
    }
}
