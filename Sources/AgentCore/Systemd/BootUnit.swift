import CSystem
import Model
import Wire

/// A unit of Deptool's own, which starts the agent when the host boots, before local services start, and before the kernel's
/// settings, the firewall and the network are set: none of them comes up in a state that is undone a moment later, or without its
/// secrets.
final class BootUnit {
    /// The purpose of the unit.
    enum Purpose {
        /// Undo an open transaction after a power loss during a deploy. The unit exists as long as the journal.
        case recovery
        /// Open the secrets of the apps.
        case secrets
    }

    let system: System
    private let purpose: Purpose
    private let file, wanted: AbsolutePath

    init(system: System, _ purpose: Purpose = .recovery) {
        self.system = system
        self.purpose = purpose
        (file, wanted) =
            purpose == .recovery ? (Layout.bootUnit, Layout.bootUnitWanted) : (Layout.secretsUnit, Layout.secretsUnitWanted)
    }

    /// Identifies the file as Deptool's, whatever the agent's version.
    private var mark: String { "# Deptool removes this when " + (purpose == .recovery ? "the deploy is over.\n" : "no app has secrets.\n") }

    private func text(_ agent: String) -> String {
        let isRecovery = purpose == .recovery
        return mark + "[Unit]\nDescription=" + (isRecovery ? "Undo an interrupted deploy" : "Unseal the secrets of apps")
            + """

            DefaultDependencies=no
            RequiresMountsFor=/var/lib/deptool /etc/systemd/system
            After=local-fs.target systemd-remount-fs.service
            Conflicts=shutdown.target
            Before=sysinit.target shutdown.target
            """
            // A mount may need the network.
            + (system.isMountedLate ? "\n" : " systemd-sysctl.service nftables.service systemd-networkd.service\n")
            + (isRecovery ? "" : "After=deptool-recover.service\n")
                + """

                [Service]
                Type=oneshot

                """ + (isRecovery ? "StandardOutput=null" : "RemainAfterExit=yes") + "\nExecStart=/var/lib/deptool/bin/" + agent
            + (isRecovery ? "\n" : " secrets\n")
    }

    /// The object at `file`.
    private enum State {
        case missing, ours
        case foreign(Occupant)
    }

    private func state() throws(AgentError) -> State {
        switch try system.occupant(of: file) {
        case nil: return .missing
        case .symlink(let target) where isSameText(target, Layout.oldBootUnit.text): return .ours
        case .file?:
            let bytes = try system.contents(of: file, limit: 65536) ?? []
            return begins(bytes[...], mark) ? .ours : .foreign(.file)
        case let occupant?: return .foreign(occupant)
        }
    }

    /// Checks that the unit can be installed: not if something else has its name. Fails if the directory is not
    /// writable, for example where `/etc` is an image.
    func check() throws(AgentError) {
        if case .foreign(let occupant) = try state() { throw AgentError(.occupied(file, by: occupant, for: nil)) }
    }

    /// Whether the file system allows the unit to be installed.
    var canBeMade: Bool {
        guard let directory = (try? system.reach(file.parent)) ?? nil else { return true }
        return unsafe csys_hindrance(directory.descriptor, file.name) == 0
    }

    /// Installs the unit. `agent` is the file name of the agent to run.
    func install(_ agent: String) throws(AgentError) {
        try check()
        let text = text(agent).bytes
        if try system.contents(of: file, limit: 65536) == text, try isSameText(system.target(of: wanted), file.text) { return }
        if let parent = wanted.parent { try system.makeDirectories(parent, mode: 0o755) }
        try system.replace(file, with: text, mode: 0o644)
        if try !isSameText(system.target(of: wanted), file.text) { try system.replaceSymlink(wanted, target: file.text) }
        for path in [file, wanted] { try system.syncParent(of: path) }
    }

    /// Removes everything that `install` made, even in part, and the links of agents of version 1.
    func remove() throws(AgentError) {
        for (link, target) in [(wanted, file), (file, Layout.oldBootUnit)] {
            if let directory = link.parent { try system.removeAsides(in: directory, to: target) }
        }
        if let target = try system.target(of: wanted), isOurs(target) { try system.remove(wanted) }
        try system.removeIfThere(file.withSuffix(".new"))
        if case .ours = try state() { try system.remove(file) }
    }

    private func isOurs(_ target: String) -> Bool { isSameText(target, file.text) || isSameText(target, Layout.oldBootUnit.text) }

    /// The file name of the agent that an agent of version 1 set to run at boot; nil if there is none.
    func oldAgent() throws(AgentError) -> String? {
        let start = "ExecStart=" + Layout.agents.text + "/"
        for line in pieces((try system.contents(of: Layout.oldBootUnit, limit: 65536) ?? [])[...], at: 10) {
            guard begins(line, start) else { continue }
            return Model.text(line.dropFirst(start.utf8.count))
        }
        return nil
    }
}

extension System {
    /// Whether Deptool's directory is on a different mount than `/` and `/etc`, whose files early boot reads.
    @inline(never) var isMountedLate: Bool {
        let own = unsafe csys_mount_id(real(Layout.root))
        // If the kernel reports no mount id, there is no warning.
        return unsafe own != 0 && own != csys_mount_id(real(Layout.etc)) && own != csys_mount_id(real(nil))
    }
}
