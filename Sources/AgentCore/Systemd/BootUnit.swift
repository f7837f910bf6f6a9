import CSystem
import Model
import Wire

/// The unit that undoes an open transaction when the host boots after a power loss during a deploy. It exists as long
/// as the journal, and only starts the agent, which begins with recovery.
struct BootUnit {
    let system: System

    private var file: AbsolutePath { Layout.bootUnit }
    private var wanted: AbsolutePath { Layout.bootUnitWanted }

    /// Identifies the file as Deptool's, whatever the agent's version.
    private static var mark: String { "# Deptool removes this when the deploy is over.\n" }

    /// Runs before local services start, so that none of them comes up in a state that is undone a moment later.
    private func text(_ agent: String) -> String {
        let start = """
            [Unit]
            Description=Undo a deploy that was interrupted
            DefaultDependencies=no
            RequiresMountsFor=/var/lib/deptool /etc/systemd/system
            After=local-fs.target systemd-remount-fs.service
            Before=sysinit.target shutdown.target
            Conflicts=shutdown.target

            [Service]
            Type=oneshot
            StandardInput=null
            StandardOutput=null
            ExecStart=/var/lib/deptool/bin/
            """
        return Self.mark + start + agent + "\n"
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
            return begins(bytes[...], Self.mark) ? .ours : .foreign(.file)
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
        return csys_hindrance(directory.descriptor, file.name) == 0
    }

    /// Installs the unit. `agent` is the file name of the agent to run.
    func install(_ agent: String) throws(AgentError) {
        try check()
        if let parent = wanted.parent { try system.makeDirectories(parent, mode: 0o755) }
        try system.replace(file, with: text(agent).bytes, mode: 0o644)
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
