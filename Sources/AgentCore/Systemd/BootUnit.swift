import CSystem
import Model
import Wire

/// The unit that undoes an open transaction when the host boots, after a power loss in the middle of a deploy. It is there
/// for as long as there is a journal, and does nothing but start the agent, which begins with recovery.
struct BootUnit {
    let system: System

    private var file: AbsolutePath { Layout.bootUnit }
    private var wanted: AbsolutePath { Layout.bootUnitWanted }

    /// By which an agent knows that the file is Deptool's, whatever the version.
    private static var mark: String { "# Deptool removes this when the deploy is over.\n" }

    /// Before local services start, so that none of them comes up in a state that is undone a moment later.
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

    /// What is at `file`.
    private enum State: Equatable {
        case missing, ours
        case foreign(Occupant)
    }

    private func state() throws(AgentError) -> State {
        switch try system.occupant(of: file) {
        case nil: return .missing
        case .symlink(to: Layout.oldBootUnit.text): return .ours
        case .file?:
            let bytes = try system.contents(of: file, limit: 65536) ?? []
            return begins(bytes[...], Self.mark) ? .ours : .foreign(.file)
        case let occupant?: return .foreign(occupant)
        }
    }

    /// Whether the unit can be put where it belongs: not if something else has its name. Fails where the directory cannot be
    /// written, as where `/etc` is an image.
    func check() throws(AgentError) {
        if case .foreign(let occupant) = try state() { throw AgentError(.occupied(file, by: occupant, for: nil)) }
    }

    /// Whether it can be put where it belongs, as far as the file system goes.
    var canBeMade: Bool {
        guard let directory = (try? system.reach(file.parent)) ?? nil else { return true }
        return csys_hindrance(directory.descriptor, file.name) == 0
    }

    /// `agent` is the file name of the agent that shall run.
    func install(_ agent: String) throws(AgentError) {
        try check()
        if let parent = wanted.parent { try system.makeDirectories(parent, mode: 0o755) }
        try system.replace(file, with: Array(text(agent).utf8), mode: 0o644)
        if try system.target(of: wanted) != file.text { try system.replaceSymlink(wanted, target: file.text) }
        for path in [file, wanted] { try system.syncParent(of: path) }
    }

    /// Takes away what `install` made, or made a part of, and what agents of version 1 linked.
    func remove() throws(AgentError) {
        for (link, target) in [(wanted, file), (file, Layout.oldBootUnit)] {
            if let directory = link.parent { try system.removeAsides(in: directory, to: target) }
        }
        if let target = try system.target(of: wanted), isOurs(target) { try system.remove(wanted) }
        try system.removeIfThere(file.withSuffix(".new"))
        if try state() == .ours { try system.remove(file) }
    }

    private func isOurs(_ target: String) -> Bool { target == file.text || target == Layout.oldBootUnit.text }

    /// The file name of the agent that an agent of version 1 wanted to be run at boot; nil where there is none.
    func oldAgent() throws(AgentError) -> String? {
        let start = "ExecStart=" + Layout.agents.text + "/"
        for line in pieces((try system.contents(of: Layout.oldBootUnit, limit: 65536) ?? [])[...], at: 10) {
            guard begins(line, start) else { continue }
            return Model.text(line.dropFirst(start.utf8.count))
        }
        return nil
    }
}
