import Model
import Wire

/// The unit that undoes an open transaction when the host boots, after a power loss in the middle of a deploy. It is
/// linked for as long as there is a journal, and does nothing but start the agent, which begins with recovery.
struct BootUnit {
    let system: System

    private var file: AbsolutePath { Layout.bootUnit }
    private var links: [AbsolutePath] { [Layout.bootUnitLink, Layout.bootUnitWanted] }

    /// Before local services start, so that none of them comes up in a state that is undone a moment later.
    private func text(_ agent: String) -> String {
        """
        [Unit]
        Description=Undo a deploy that was interrupted
        DefaultDependencies=no
        RequiresMountsFor=\(Layout.root.text) \(Layout.unitLinks.text)
        After=local-fs.target systemd-remount-fs.service
        Before=sysinit.target shutdown.target
        Conflicts=shutdown.target

        [Service]
        Type=oneshot
        ExecStart=\(Layout.agents.text)/\(agent)
        StandardInput=null
        StandardOutput=null

        """
    }

    /// `agent` is the file name of the agent that shall run.
    func link(_ agent: String) throws(Failure) {
        let bytes = Array(text(agent).utf8)
        if try system.contents(of: file, limit: 65536) != bytes { try system.replace(file, with: bytes, mode: 0o644) }
        for link in links {
            if let parent = link.parent { try system.makeDirectories(parent, mode: 0o755) }
            if try system.target(of: link) != file.text { try system.replaceSymlink(link, target: file.text) }
            try system.syncParent(of: link)
        }
    }

    func unlink() throws(Failure) {
        for link in links {
            // Of an agent that was killed while it made the link.
            if try system.target(of: link.temporary) == file.text { try system.remove(link.temporary) }
            if try system.target(of: link) == file.text { try system.remove(link) }
        }
    }
}
