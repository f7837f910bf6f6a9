import Git
import Model
import Planning

extension HostPlan {
    /// Whether to ask the host for edited files of apps that the deploy replaces or removes. The host hashes all files
    /// of all apps, which must not slow down a deploy; the plan of a repair has the answer already.
    func asksForEdits(_ store: Store) -> Bool {
        guard base != nil, drift.isEmpty, changes.contains(where: \.replacesFiles) else { return false }
        var rest = Self.maximumHashed
        for id in present {
            guard let size = try? store.blobSize(id) else { continue }
            guard size <= rest else { return false }
            rest -= size
        }
        return true
    }

    /// In bytes, which take a fraction of a second.
    private static var maximumHashed: UInt64 { 256 << 20 }

    /// Warnings of edited files that the deploy replaces or removes, unless it brings the same content, and of replaced links,
    /// through which no program reads the new files.
    func warnings(of drift: [Drift]) -> [HostWarning] {
        var (replaced, removed, lost): ([String], [String], [AbsolutePath]) = ([], [], [])
        let made = steps.compactMap { step -> AbsolutePath? in if case .link(let path, _) = step.action { path } else { nil } }
        for drift in drift {
            guard let app = drift.app, let change = changes.first(where: { $0.app == app }), change.replacesFiles else { continue }
            let name: String
            switch drift.finding {
            case .file(let path, let found):
                let new = wanted.apps.first { $0.name == app }?.file(path)
                switch found {
                case .file(let id, _) where id == new?.id: continue
                case .nothing where new == nil: continue
                default: name = path.text
                }
            case .extra(let path): name = path
            case .link(let path, _, _):
                if wanted.apps.contains(where: { $0.links.contains { $0.path == path } }), !made.contains(path) { lost.append(path) }
                continue
            default: continue
            }
            if change.kind == .remove { removed.append("\(app.text)/\(name)") } else { replaced.append("\(app.text)/\(name)") }
        }
        return (replaced.isEmpty ? [] : [.replacesEdits(replaced.sorted())]) + (removed.isEmpty ? [] : [.removesEdits(removed.sorted())])
            + (lost.isEmpty ? [] : [.lostLinks(lost.sorted())])
    }
}

extension AppChange {
    fileprivate var replacesFiles: Bool { (kind == .update || kind == .remove) && app.text != LeftFiles.app }
}
