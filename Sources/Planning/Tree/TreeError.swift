import Model

/// Why a config tree cannot be planned: one problem and its place.
package struct TreeError: Error, Hashable, Sendable {
    package var host: Hostname
    package var app: AppName?
    /// Relative to the app, or to the host if there is no app.
    package var file: String?
    package var kind: Kind

    package init(host: Hostname, app: AppName? = nil, file: String? = nil, _ kind: Kind) {
        self.host = host
        self.app = app
        self.file = file
        self.kind = kind
    }

    package enum Kind: Hashable, Sendable {
        case format(FormatError)
        /// A manifest or `host.json` of implausible size.
        case tooLarge(limit: Int)
        case linkTwice(AbsolutePath, other: AppName)
        /// One link is below another.
        case nestedLinks(AbsolutePath, inside: AbsolutePath, of: AppName)
        case unitTwice(UnitName, other: AppName)
        case missingSource(AbsolutePath, RelativePath)
        /// A copy of something other than a file.
        case copyOfDirectory(AbsolutePath, RelativePath)
        /// A link into a directory where Deptool itself makes the links.
        case managedDirectory(AbsolutePath, instead: String?)
        /// A link that would replace a directory above Deptool's own.
        case aboveOwnDirectory(AbsolutePath)
        /// A directory in `systemd/` or the like that is not a drop-in directory.
        case notDropIn(PlacedDirectory)
        /// A file in `systemd/` or the like that has no effect there.
        case idle(IdleFile)
        /// A unit name with the prefix of Deptool's own units.
        case ownName(String)
        case badAppName(String)
        case badHostName(String)
        /// A path that this tool does not accept.
        case badPath(PathError)
        /// A file in `secrets/` that is not `NAME.age`.
        case notSealed
        /// A link to, or a copy of, a sealed file.
        case linkToSecret(AbsolutePath, RelativePath)
        /// A sealed file that no one, or not its host, can open; with the reason.
        case sealedBadly(String, secret: String)
        /// A sealed file whose host has other keys, with their fingerprints.
        case sealedForOthers(secret: String, keys: [String])
        /// A sealed file of a host whose key is not known.
        case unknownHostKey
        /// Something that is neither a file nor a directory.
        case notAFile
        /// The host's file lists exceed the size of a message.
        case tooManyFiles(Int, bytes: Int)
    }

    /// The place, such as `web1/nginx/manifest.json:3`.
    package var place: String { place(in: "") }

    /// The place with the cluster's directory in front, unless that is the working directory.
    package func place(in directory: String) -> String {
        let above = directory.isEmpty || directory == "." ? "" : directory + "/"
        var place = above + ([host.text] + [app?.text, file].compactMap { $0 }).joined(separator: "/")
        if case .format(let problem) = kind { place += ":\(problem.line)" }
        return place
    }

    package var phrase: String {
        switch kind {
        case .format(let problem): problem.phrase
        case .tooLarge(let limit): "larger than \(limit >> 10) KiB"
        case .linkTwice(let path, let other) where other == app: "the link '\(path.text)' is listed twice"
        case .linkTwice(let path, let other): "the link '\(path.text)' is also claimed by the app '\(other.text)'"
        case .nestedLinks(let path, let outer, let other):
            "the link '\(path.text)' would lie behind the link '\(outer.text)' of the app '\(other.text)'"
        case .unitTwice(let unit, let other): "the unit '\(unit.text)' is also enabled by the app '\(other.text)'"
        case .missingSource(let path, let source):
            "the link '\(path.text)' points to '\(source.text)', which the app does not have"
        case .copyOfDirectory(let path, let source):
            "the copy at '\(path.text)' is of '\(source.text)', which is a directory; copy its files one by one, or use 'symlinks'"
        case .managedDirectory(let path, let instead?):
            "the link '\(path.text)' is in a directory that Deptool manages; put the file into the app's '\(instead)/' instead"
        case .managedDirectory(let path, nil): "the link '\(path.text)' is in Deptool's own directory"
        case .aboveOwnDirectory(let path):
            "the link '\(path.text)' would be in place of a directory that holds Deptool's own, \(Layout.root.text)"
        case .notDropIn(let directory):
            (directory.hasDropIns
                ? "'\(directory.name)/' holds files, and directories 'NAME.d' with files; nothing deeper"
                : "'\(directory.name)/' holds files, no directories")
                + (directory.placesAll ? "" : ": those of \(directory.target.text); give it another name if it is something else")
        case .idle(let file): file.phrase
        case .ownName(let unit): "'\(unit)' is a name of Deptool's own units, which begin with '\(Layout.unitPrefix)'; give it another"
        case .badAppName(let name):
            "'\(name)' is not a name for an app: use letters, digits, '.', '-', '_', '@' and '+', the first a letter, digit or '_'"
        case .badHostName(let name):
            "'\(name)' is not a name for a host: use letters, digits, '.', '-' and '_', the first a letter or digit"
        case .badPath(let problem): "not a valid path: \(problem.phrase)"
        case .notSealed:
            "not a sealed file: an app's '\(RelativePath.secrets)/' holds files NAME.age that `deptool secret set` wrote"
        case .linkToSecret(let path, let source):
            "'\(path.text)' would be '\(source.text)', which is sealed; programs read it opened, below \(Layout.secrets.text)/\(app?.text ?? "APP")"
        case .sealedBadly(let problem, let secret): "\(problem); run: deptool secret set \(secret)"
        case .sealedForOthers(let secret, let keys):
            "not sealed for \(host.text), whose key is \(keys.joined(separator: " or ")); run: deptool secret rekey \(secret)"
        case .unknownHostKey:
            "cannot check whether \(host.text) can open it, since its ed25519 key is not in known_hosts; "
                + "run: ssh -o HostKeyAlgorithms=ssh-ed25519 \(host.text); if it has no such key: deptool secret enroll \(host.text)"
        case .notAFile: "neither a file nor a directory"
        case .tooManyFiles(let count, let bytes):
            "\(count) files are too many for one host: their names take \(bytes / 1_000_000) MB of at most \(HostTree.maximumListed / 1_000_000) MB; "
                + "put some of them into an archive that a unit unpacks"
        }
    }
}

extension HostTree {
    /// The source of a tree.
    package enum Origin: Sendable {
        case configTree
        /// It was deployed before; a host that goes back to it gets its former state.
        case history
    }

    /// Throws for trees that cannot be planned, and for obvious mistakes.
    package func validate(_ origin: Origin = .configTree) throws(TreeError) { try validate { _ in origin } }

    /// The same, with an origin for each app.
    package func validate(_ origin: (AppName) -> Origin) throws(TreeError) {
        var paths: [AbsolutePath: AppName] = [:]
        var units: [UnitName: AppName] = [:]
        let listed = listedBytes
        if listed > Self.maximumListed { throw TreeError(host: host, .tooManyFiles(apps.reduce(0) { $0 + $1.files.count }, bytes: listed)) }
        for app in apps {
            let origin = origin(app.name)
            for link in app.manifest.symlinks { try validate(link.path, link.source, of: app) }
            for copy in app.manifest.copies {
                try validate(copy.path, copy.source, of: app)
                guard app.file(copy.source) != nil else { throw problem(app, .copyOfDirectory(copy.path, copy.source)) }
            }
            for file in app.files {
                if origin == .configTree {
                    try validateMeaning(of: file, in: app)
                    if SecretsDirectory.has(file.path), SecretsDirectory.secret(file.path) == nil {
                        throw TreeError(host: host, app: app.name, file: file.path.text, .notSealed)
                    }
                }
                try validate(file, of: app, origin)
            }
            for (path, source) in app.links.map({ ($0.path, $0.source) }) + app.placed.map({ ($0.path, $0.source) }) {
                if let other = paths[path] {
                    // An older version, without this kind of directory, has placed neither.
                    if origin == .history, PlacedDirectory.all.contains(where: { !$0.placesAll && path.isInside($0.target) }) { continue }
                    // Either the manifest lists the path, or a file in a directory with a meaning implies it.
                    let isAsked = app.manifest.symlinks.contains { $0.path == path } || app.manifest.copies.contains { $0.path == path }
                    throw TreeError(
                        host: host, app: app.name, file: isAsked ? Manifest.fileName : source.text, .linkTwice(path, other: other))
                }
                paths[path] = app.name
            }
            for check in app.manifest.checks {
                guard let program = check.ownProgram, app.file(program)?.isExecutable != true else { continue }
                throw problem(app, .format(.noProgram("./\(program.text)", line: check.line, isThere: app.file(program) != nil)))
            }
            for unit in app.manifest.units {
                if let other = units[unit] { throw problem(app, .unitTwice(unit, other: other)) }
                units[unit] = app.name
                if origin == .configTree, isOwn(unit.text) { throw problem(app, .ownName(unit.text)) }
            }
        }
        for (path, name) in paths.sorted(by: { $0.key < $1.key }) {
            var outer = path.parent
            while let here = outer {
                if let other = paths[here] {
                    throw TreeError(
                        host: host, app: name, file: Manifest.fileName, .nestedLinks(path, inside: here, of: other))
                }
                outer = here.parent
            }
        }
    }

    private func problem(_ app: AppTree, _ kind: TreeError.Kind) -> TreeError {
        TreeError(host: host, app: app.name, file: Manifest.fileName, kind)
    }

    /// Checks a manifest's entry for `path`.
    private func validate(_ path: AbsolutePath, _ source: RelativePath, of app: AppTree) throws(TreeError) {
        if path.isInside(Layout.root) || [Layout.identity.text, Layout.identity.text + ".pub"].contains(path.text) {
            throw problem(app, .managedDirectory(path, instead: nil))
        }
        if Layout.root.isInside(path) { throw problem(app, .aboveOwnDirectory(path)) }
        for directory in PlacedDirectory.all where directory.isExclusive && path.isInside(directory.target) {
            throw problem(app, .managedDirectory(path, instead: directory.name))
        }
        guard app.has(source) else { throw problem(app, .missingSource(path, source)) }
        if source.text == RelativePath.secrets || SecretsDirectory.has(source) { throw problem(app, .linkToSecret(path, source)) }
    }

    private func validate(_ file: FileEntry, of app: AppTree, _ origin: Origin) throws(TreeError) {
        guard let directory = PlacedDirectory.holding(file.path), case let parts = file.path.components, parts.count > 2,
            directory.placesAll || origin == .configTree && !directory.hasSubdirectories && !app.isListed(file.path, in: directory)
        else { return }
        guard directory.hasDropIns, parts.count == 3, parts[1].hasSuffix(".d") else {
            throw TreeError(host: host, app: app.name, file: file.path.text, .notDropIn(directory))
        }
    }

    /// A file in a directory with a meaning has to have an effect there.
    private func validateMeaning(of file: FileEntry, in app: AppTree) throws(TreeError) {
        guard let directory = PlacedDirectory.holding(file.path), let path = file.path.below(directory.name),
            !app.isListed(file.path, in: directory)
        else { return }
        func problem(_ kind: TreeError.Kind) -> TreeError { TreeError(host: host, app: app.name, file: file.path.text, kind) }
        if let idle = IdleFile(path, in: directory, of: app) { throw problem(.idle(idle)) }
        if directory.effect == .daemonReload, let first = path.components.first, isOwn(first) { throw problem(.ownName(first)) }
    }

    private func isOwn(_ unit: String) -> Bool { unit.hasPrefix(Layout.unitPrefix) }
}
