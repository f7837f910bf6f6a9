import Model

/// The control group (cgroups(7)) that the agent works in where systemd runs.
///
/// A login's processes are in the scope of its session, and whatever ends the session kills them all: an operator's
/// `loginctl terminate-session`, `KillUserProcesses=` in logind.conf(5), an SSH server that keeps its logins in a group of
/// its own. A group beside those of services outlives all that. Entering it takes some system calls; asking systemd for
/// a scope would take a program, and systemd's and the message bus's time.
struct ControlGroup {
    let system: System

    /// Leaves the login's group. Where that is impossible, all goes on in it.
    func enter() {
        for group in Layout.controlGroups {
            guard let slice = group.parent, (try? system.status(of: slice)) != nil else { continue }
            _ = try? system.makeDirectories(group, mode: 0o755)
            guard let members = try? system.openAppending(group.withSuffix("/cgroup.procs"), mode: 0o644) else { continue }
            // Whoever writes it.
            try? members.write([UInt8(ascii: "0")])
        }
    }
}
