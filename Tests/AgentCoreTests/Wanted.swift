import Model
import TestSupport
import Wire

/// The wanted state of a host: a small stand-in for a config tree.
struct Wanted: Equatable, CustomStringConvertible {
    struct File: Equatable {
        var content: [UInt8]
        var isExecutable = false

        init(_ text: String, executable: Bool = false) {
            content = Array(text.utf8)
            isExecutable = executable
        }

        init(bytes: [UInt8]) { content = bytes }

        /// Sealed for the key of test hosts.
        init(sealed text: String) { content = HostKey.shared.seal(text) }

        var id: ObjectID { .of(.blob, content) }
    }

    struct App: Equatable {
        var files: [String: File]
        /// Sources by the paths of the links.
        var links: [String: String] = [:]
        /// Sources and modes by the paths of placed files.
        var placed: [String: Placed] = [:]
        /// The app's open secrets: texts by the names of the secrets.
        var secrets: [String: String] {
            var secrets: [String: String] = [:]
            for (path, file) in files {
                if let name = (try? RelativePath(path))?.secretName { secrets[name] = HostKey.shared.content(of: file.content) }
            }
            return secrets
        }

        /// The group that can read a private app; nil for an app that is not private.
        var group: String?

        struct Placed: Equatable {
            var source: String
            var mode: UInt32 = 0o644
        }

        var sealed: [String: File] { files.filter { (try? RelativePath($0.key))?.secretName != nil } }

        init(
            _ files: [String: File], links: [String: String] = [:], placed: [String: Placed] = [:], group: String? = nil
        ) {
            self.files = files
            self.links = links
            self.placed = placed
            self.group = group
        }
    }

    var apps: [String: App]

    init(_ apps: [String: App] = [:]) { self.apps = apps }

    var description: String {
        apps.sorted { $0.key < $1.key }.map { name, app in
            let files = app.files.sorted { $0.key < $1.key }.map { path, file in
                "\(path)\(file.isExecutable ? "*" : "") (\(file.content.count) bytes)"
            }
            let links = app.links.sorted { $0.key < $1.key }.map { "\($0) -> \($1)" }
            let placed = app.placed.sorted { $0.key < $1.key }.map { "\($0) <- \($1.source) (\(String($1.mode, radix: 8)))" }
            return "\(name): " + (files + links + placed).joined(separator: ", ")
        }.joined(separator: "; ")
    }

    /// The record of a host that runs this by the deploy with this number.
    func record(_ number: Int) -> Record {
        let commit = RecordedObject(kind: .commit, bytes: Array("deploy \(number)".utf8))
        let names = apps.keys.sorted()
        return Record(
            commit: commit.id, author: "Ada <ada@example.com>", time: 1_700_000_000 + Int64(number), objects: [commit],
            apps: names.map { name in
                DeployedApp(
                    name: AppName(name)!,
                    files: apps[name]!.files.map { path, file in
                        FileEntry(path: try! RelativePath(path), isExecutable: file.isExecutable, id: file.id)
                    }.sorted { $0.path < $1.path })
            },
            links: names.flatMap { name in
                apps[name]!.links.map { path, source in
                    Link(path: try! AbsolutePath(path), app: AppName(name)!, source: try! RelativePath(source))
                }.sorted { $0.path < $1.path }
            },
            placed: names.flatMap { name in
                apps[name]!.placed.map { path, file in
                    PlacedFile(
                        path: try! AbsolutePath(path), app: AppName(name)!, source: try! RelativePath(file.source),
                        access: FileAccess(mode: file.mode))
                }.sorted { $0.path < $1.path }
            }, units: [])
    }

    /// The same as an earlier version deployed it: with links where files are placed.
    var withLinksOnly: Wanted {
        var wanted = self
        for (name, app) in apps {
            for (path, file) in app.placed { wanted.apps[name]!.links[path] = file.source }
            wanted.apps[name]!.placed = [:]
        }
        return wanted
    }

    /// Every content, by its id.
    var contents: [ObjectID: [UInt8]] {
        var contents: [ObjectID: [UInt8]] = [:]
        for app in apps.values { for file in app.files.values { contents[file.id] = file.content } }
        return contents
    }
}

/// A deploy as the client would plan it.
struct Plan {
    var preparation: Preparation
    var contents: [ObjectID: [UInt8]]

    /// From the state that the host runs, with its deploy, to the wanted one by deploy `number`. Files found in the
    /// place of links of both are displaced.
    init(
        from old: (wanted: Wanted, number: Int)?, to wanted: Wanted, _ number: Int, displacing found: [String: Drift.Found] = [:]
    ) {
        let before = old?.wanted ?? Wanted()
        let (oldRecord, record) = (old.map { $0.wanted.record($0.number) }, wanted.record(number))
        let changed = record.apps.filter { app in oldRecord?.apps.contains(app) != true }.map(\.name)
        let removed = (oldRecord?.apps ?? []).map(\.name).filter { wanted.apps[$0.text] == nil }
        let oldLinks = oldRecord?.links ?? []
        let groups = changed.compactMap { name in wanted.apps[name.text]?.group.flatMap { GroupName($0) }.map { (name, $0) } }
        var steps = changed.map { name in
            Step(name, .checkout(for: groups.contains { $0.0 == name } ? .root : .everybody))
        }
        steps += changed.map { Step($0, .activate) }
        let oldPlaced = oldRecord?.placed ?? []
        steps += oldLinks.filter { link in
            !record.links.contains { $0.path == link.path } && !record.placed.contains { $0.path == link.path }
        }
        .map { Step($0.app, .unlink(path: $0.path)) }
        steps += oldPlaced.filter { file in
            !record.links.contains { $0.path == file.path } && !record.placed.contains { $0.path == file.path }
        }
        .map { Step($0.app, .unplace(path: $0.path)) }
        for link in record.links where !oldLinks.contains(link) || found[link.path.text] != nil {
            if let found = found[link.path.text] { steps.append(Step(link.app, .displace(path: link.path, found))) }
            steps.append(Step(link.app, .link(path: link.path, source: link.source)))
        }
        for file in record.placed {
            let was = oldPlaced.first { $0.path == file.path }
            let isSame = was == file && oldRecord?.content(of: file.source, in: file.app) == record.content(of: file.source, in: file.app)
            // Links of an earlier version are converted without a step.
            let wasLinked = oldLinks.contains { $0.path == file.path && $0.app == file.app && $0.source == file.source }
            if isSame && found[file.path.text] == nil || wasLinked && !changed.contains(file.app) { continue }
            if let found = found[file.path.text] { steps.append(Step(file.app, .displace(path: file.path, found))) }
            steps.append(Step(file.app, .place(path: file.path, source: file.source, file.access, was == nil ? .new : .updated)))
        }
        steps += groups.map { Step($0.0, .grant($0.1)) }
        for name in changed {
            let sealed = wanted.apps[name.text]!.sealed
            if sealed != before.apps[name.text]?.sealed ?? [:] { steps.append(Step(name, .unseal(files: sealed.count))) }
        }
        for name in removed where before.apps[name.text]?.sealed.isEmpty == false { steps.append(Step(name, .unseal(files: 0))) }
        steps += removed.map { Step($0, .remove) }
        contents = wanted.contents
        let present = before.contents
        let needed = Set(changed.flatMap { name in wanted.apps[name.text]!.files.values.map(\.id) })
        let sent = needed.filter { present[$0] == nil }.sorted { $0.hex < $1.hex }
        preparation = Preparation(
            expected: oldRecord?.commit, holder: "Ada <ada@example.com>", record: record,
            contents: sent.map { [contents] in Content(id: $0, size: UInt64(contents[$0]!.count)) }, steps: steps)
    }

    /// All messages of the client when nothing goes wrong, in one piece.
    var script: [Request] {
        [.prepare(preparation)] + preparation.contents.map { .content(contents[$0.id]![...]) } + [.apply]
    }
}

extension Seeded {
    /// A config tree of few names, so that two of them have much in common.
    mutating func wanted() -> Wanted {
        var paths = ["/etc/one", "/etc/two", "/etc/made/three", "/etc/made/deep/four", "/srv/a/b/five", "/opt/six"]
        paths.shuffle(using: &self)
        var apps: [String: Wanted.App] = [:]
        for name in ["dns", "file-0", "web", "_x@1"] where int(0...2) > 0 {
            var files: [String: Wanted.File] = [:]
            for path in ["a", "b.conf", "dir/a", "dir/sub/c", "other/d"] where bool() {
                files[path] = Wanted.File(bytes: [UInt8](repeating: UInt8(int(0...3)), count: pick([0, 1, 100, 5000])))
                files[path]!.isExecutable = int(0...3) == 0
            }
            var links: [String: String] = [:]
            var placed: [String: Wanted.App.Placed] = [:]
            for source in files.keys.sorted() where bool() && !paths.isEmpty {
                let path = paths.removeLast()
                if bool() {
                    links[path] = source
                } else {
                    placed[path] = .init(source: source, mode: pick([0o644, 0o600, 0o755, 0o4711]))
                }
            }
            apps[name] = Wanted.App(files, links: links, placed: placed)
        }
        return Wanted(apps)
    }
}
