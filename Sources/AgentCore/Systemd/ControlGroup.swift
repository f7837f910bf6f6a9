import Model

/// The control group (cgroups(7)) that the agent works in where systemd runs.
///
/// A login's processes are in the scope of its session, and anything that ends the session kills them all: an
/// operator's `loginctl terminate-session`, `KillUserProcesses=` in logind.conf(5), or an SSH server that keeps its
/// logins in a separate group. A group beside those of services survives all that. Entering it takes a few system
/// calls; requesting a scope from systemd would take a program, and time of systemd and the message bus.
struct ControlGroup {
    let system: System

    /// Leaves the login's group. If that is impossible, the agent continues in it.
    func enter() {
        for group in Layout.controlGroups {
            guard let slice = group.parent, (try? system.status(of: slice)) != nil else { continue }
            _ = try? system.makeDirectories(group, mode: 0o755)
            guard let members = try? system.openAppending(group.withSuffix("/cgroup.procs"), mode: 0o644) else { continue }
            // 0 means the process that writes it.
            try? members.write([UInt8(ascii: "0")])
        }
    }
}
