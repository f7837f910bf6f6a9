import Deployment
import Model
import Wire

extension HostWarning {
    /// For a line of its own, after the host's name.
    package var phrase: String {
        switch self {
        case .readBeforeMount(let paths):
            let more = paths.count > 1 ? " (and \(paths.count - 1) more)" : ""
            return "early boot reads \(paths[0].text)\(more) before /var/lib/deptool is mounted: use \"copies\" instead of \"symlinks\""
        case .noRecoveryAtBoot:
            return "/etc/systemd/system cannot be written: if this deploy is cut off, the host rolls back at the next contact, not at boot"
        case .replacesEdits(let files):
            return
                "edited on the host, and replaced by this deploy: \(list(files)). Until the app's next deploy, `previous` beside it has the edits"
        case .removesEdits(let files): return "edited on the host, and removed by this deploy: \(list(files))"
        case .lostLinks(let paths):
            return
                "replaced on the host, and left so by this deploy: \(list(paths.map(\.text))). Programs that read it do not see the new files; "
                + "`deptool deploy --repair` restores it"
        }
    }

    private func list(_ files: [String]) -> String {
        files.prefix(3).map(visible).joined(separator: ", ") + (files.count > 3 ? " and \(count(files.count - 3, "other"))" : "")
    }
}
