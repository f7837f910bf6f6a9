import CSystem
import Model
import Wire

/// Placed files: regular files where a symlink does not work.
extension Transaction {
    func place(_ file: PlacedFile, over expected: Expected) throws(AgentError) {
        guard let content = preparation.record.content(of: file.source, in: file.app) else { throw AgentError(.protocolViolation) }
        if let parent = file.path.parent { try system.makeDirectories(parent, mode: 0o755) }
        let attributes = try system.attributes(file.access)
        let (draft, aside) = (file.path.sibling(name: file.path.draft()), file.path.aside())
        let source = file.app.current.appending(file.source)
        guard try system.copy(source, to: draft, mode: 0o600, id: content, attributes: attributes) else {
            throw AgentError(.corrupt(path: source.text))
        }
        try system.rename(draft, to: file.path.sibling(name: aside))
        try system.replace(file.path, by: aside, in: try system.holder(of: file.path, .rename), over: expected)
    }

    /// The record's placed files that no step touches and for which an agent of version 1 made symlinks.
    var conversions: [PlacedFile] {
        guard let old else { return [] }
        var steps: [AbsolutePath: Int] = [:]
        for step in preparation.steps { if let path = step.action.path { steps[path] = 1 } }
        var links: [AbsolutePath: Int] = [:]
        for link in old.record.links { links[link.path] = 1 }
        return preparation.record.placed.filter { links[$0.path] != nil && steps[$0.path] == nil }
    }

    /// Replaces these symlinks with regular files, and points the links that enable the units to them.
    func convert() throws(AgentError) {
        for file in conversions { try place(file, over: .ours) }
        guard let old, !old.knowsEnablement else { return }
        let enablement = EnabledLinks(system: system)
        for link in try enablement.snapshot().links {
            guard let parts = (try? AbsolutePath(link.target))?.below(Layout.apps)?.components, let name = parts.last,
                let unit = try? RelativePath(name), case let file = Layout.unitLinks.appending(unit), link.path != file,
                preparation.record.placed.contains(where: { $0.path == file })
            else { continue }
            try system.replaceSymlink(link.path, target: file.text)
        }
    }

    /// Makes the content of placed files durable.
    func syncPlaced(_ journal: Journal) throws(AgentError) {
        for case .placed(let path, _, .some) in journal.priors {
            let file = try system.open(path)
            try file.sync()
        }
    }
}

extension Record {
    /// The content of the file that was placed at `path`; nil if there is none.
    func placedContent(at path: AbsolutePath) -> ObjectID? {
        placed.first { $0.path == path }.flatMap { content(of: $0.source, in: $0.app) }
    }
}

extension Step.Action {
    /// The path outside Deptool's directory that the step creates, removes or vacates.
    var path: AbsolutePath? {
        switch self {
        case .link(let path, _), .displace(let path, _), .unlink(let path), .place(let path, _, _, _), .unplace(let path): path
        default: nil
        }
    }
}
