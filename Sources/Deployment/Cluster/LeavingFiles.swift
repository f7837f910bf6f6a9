import Git
import Model
import Planning

/// How removed links and copies leave files on a host.
package enum LeavingFiles: Sendable {
    case nothing
    /// A file with the content of each.
    case everything
    /// The files that an earlier deploy had left before the hosts ran these commits, nil for nothing.
    case again([Hostname: ObjectID?])
}

extension ClusterReader {
    /// The wanted tree, and in it an app that places files where links and copies go.
    func leavingFiles(_ leaves: LeavingFiles, _ known: HostTree?, _ wanted: HostTree) throws(ClusterError) -> HostTree {
        var left = LeftFiles(old: known?.apps ?? [], new: wanted.apps).files
        switch leaves {
        case .nothing: left = []
        case .everything: break
        case .again(let goals): if !left.isEmpty, let goal = goals[wanted.host] { left = try leftBefore(left, wanted.host, goal) }
        }
        if left.isEmpty { return wanted }
        let text = Array(Self.manifest(left).utf8)
        guard text.count <= Self.leftManifestLimit else { throw .leavesTooMuch(wanted.host, files: left.count) }
        let manifest = try read(store.write(RecordedObject(kind: .blob, bytes: text)))
        let files = left.map { file in
            (
                path: file.source.split(separator: "/")[...], kind: TreeEntry.Kind.file(isExecutable: file.content.isExecutable),
                file.content.id
            )
        }
        let app = try write([(path: [Substring(Manifest.fileName)][...], kind: .file(isExecutable: false), manifest)] + files)
        var others = try read(store.tree(wanted.id)).filter { $0.name != LeftFiles.app }
        // The name of an emptied host is still checked.
        if wanted.apps.isEmpty, let known {
            others.removeAll { $0.name == HostOptions.fileName }
            others += try read(store.tree(known.id)).filter { $0.kind != .directory && $0.name == HostOptions.fileName }
        }
        let id = try read(store.writeTree(others + [TreeEntry(name: LeftFiles.app, kind: .directory, id: app)]))
        let tree = try hostTree(wanted.host, id)
        do { try tree.validate(.history) } catch { throw .tree(error) }
        return tree
    }

    /// Of files that would stay, those that had been left at their paths before the host ran the commit, nil for nothing, and that
    /// were no link or copy since: as they were then.
    private func leftBefore(_ files: [LeftFiles.File], _ host: Hostname, _ goal: ObjectID?) throws(ClusterError) -> [LeftFiles.File] {
        var start = goal
        if start == nil { start = try read(store.deployedCommit(host)) }
        var (steps, isThere): ([PastStep], Bool) = ([], goal != nil)
        try read(
            store.goBack(from: [host: start], maximum: Self.maximumDeploys) { _, step in
                if isThere { steps.append(step) } else { isThere = step.before == nil }
                return true
            })
        // The oldest deploy that left anything.
        let oldest = steps.lastIndex { step in step.apps.contains { $0.name.text == LeftFiles.app && $0.change != .removed } }
        var open = Set(files.map(\.path))
        var left: [LeftFiles.File] = []
        for step in steps.prefix(oldest.map { $0 + 1 } ?? 0) where !open.isEmpty {
            guard let id = try hostTreeID(of: host, in: step.commit), store.contains(id) else { continue }
            for app in try deployedTree(host, id).apps {
                if app.isOfLeftFiles {
                    let copies = Dictionary(app.manifest.copies.map { ($0.path, $0) }) { first, _ in first }
                    for var file in files where open.contains(file.path) {
                        guard let copy = copies[file.path], let content = app.file(copy.source) else { continue }
                        (file.content, file.access) = (content, copy.access)
                        left.append(file)
                    }
                    open.subtract(copies.keys)
                    continue
                }
                let paths = app.links.map(\.path) + app.placed.map(\.path)
                open = open.filter { path in !paths.contains { path == $0 || path.isInside($0) || $0.isInside(path) } }
            }
        }
        return left.sorted { $0.path < $1.path }
    }

    /// A plan after which Deptool no longer records the files that it left on these hosts, and the root tree of the resulting
    /// state. With `isRemoval`, nothing else is left on them.
    package func forgettingPlan(
        _ hosts: Set<Hostname>, cluster: String, isRemoval: Bool
    ) throws(ClusterError) -> (plan: Plan, root: ObjectID) {
        let deployed = try deployed(cluster)
        var plan = Plan(hosts: [])
        var targets: [Hostname: ObjectID?] = [:]
        for (host, commit) in deployed.sorted(by: { $0.key < $1.key }) where hosts.contains(host) {
            guard let id = try hostTreeID(of: host, in: commit) else { continue }
            let known = try hostTree(host, id)
            guard known.apps.contains(where: \.isOfLeftFiles) else { continue }
            let rest = try read(store.treeWithoutLeftFiles(id))
            targets[host] = .some(isRemoval ? nil : rest)
            var wanted = try hostTree(host, rest)
            wanted.options = known.options
            let host = try HostPlan(
                base: commit, deployed: known, wanted: wanted, safety: Safety(guard: .never), isRemoval: isRemoval, contents: unitFile)
            if let host { plan.hosts.append(host) }
        }
        return (plan, try runningRoot(deployed, except: targets))
    }

    /// A tree of files by their paths.
    private func write(_ files: [(path: ArraySlice<Substring>, kind: TreeEntry.Kind, id: ObjectID)]) throws(ClusterError) -> ObjectID {
        var entries: [TreeEntry] = []
        for (name, files) in Dictionary(grouping: files, by: { $0.path.first ?? "" }) {
            if let file = files.first, file.path.count == 1 {
                entries.append(TreeEntry(name: String(name), kind: file.kind, id: file.id))
            } else {
                let inner = try write(files.map { ($0.path.dropFirst(), $0.kind, $0.id) })
                entries.append(TreeEntry(name: String(name), kind: .directory, id: inner))
            }
        }
        return try read(store.writeTree(entries))
    }

    private static func manifest(_ files: [LeftFiles.File]) -> String {
        let copies = files.map { file in
            let access = file.access
            var members = [("source", file.source), ("mode", octal(access.mode))]
            if let owner = access.owner { members.append(("owner", owner.text)) }
            if let group = access.group { members.append(("group", group.text)) }
            return "\(quotedJSON(file.path.text)): {" + members.map { "\(quotedJSON($0)): \(quotedJSON($1))" }.joined(separator: ", ") + "}"
        }
        // No one reads the version itself: the copies have modes of their own.
        return "{\"private\": true, \"copies\": {\n" + copies.joined(separator: ",\n") + "\n}}\n"
    }

    private static func octal(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

extension LeftFiles.File {
    /// The place of the content in the app. No directory with a meaning has this name.
    fileprivate var source: String { "files" + path.text }
}
