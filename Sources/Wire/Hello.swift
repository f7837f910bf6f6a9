import Model

/// The agent's description of its host at the start of a session.
package struct Hello: Hashable, Sendable {
    /// The content of `/etc/hostname`, or else the kernel's node name.
    package var hostname: String
    /// The content of `/etc/machine-id`; empty if there is none.
    package var machineID: String
    /// Whether systemd is the running init.
    package var hasSystemd: Bool
    /// Whether Deptool's directory is on a separate mount, which is mounted after early boot.
    package var isMountedLate: Bool
    /// Whether the next boot undoes an interrupted deploy. Not if no unit can be put in place for it.
    package var recoversAtBoot: Bool
    /// The deployed commit; nil if there is none.
    package var commit: ObjectID?
    /// The result of a transaction that an earlier agent left open; nil if there was none.
    package var recovery: Outcome?

    package init(
        hostname: String, machineID: String, hasSystemd: Bool, isMountedLate: Bool = false, recoversAtBoot: Bool = true, commit: ObjectID?,
        recovery: Outcome?
    ) {
        self.hostname = hostname
        self.machineID = machineID
        self.hasSystemd = hasSystemd
        self.isMountedLate = isMountedLate
        self.recoversAtBoot = recoversAtBoot
        self.commit = commit
        self.recovery = recovery
    }
}
