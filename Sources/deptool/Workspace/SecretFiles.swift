import Age
import Deployment
import Display
import Git
import Model
import Planning
import Platform
import SSH
import Sealing

/// The sealed files of a cluster's config tree: `HOST/APP/secrets/NAME.age`.
struct SecretFiles {
    let workspace: Workspace
    let keys: HostKeys

    /// As operators name it: `HOST/APP/NAME`.
    struct Place: Hashable, Comparable {
        let host: Hostname
        let app: AppName
        let name: String

        var text: String { "\(host.text)/\(app.text)/\(name)" }
        static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
    }

    func path(_ place: Place) -> String { "\(workspace.directory)/\(place.host.text)/\(place.app.text)/secrets/\(place.name).age" }

    /// As the operator would type it.
    func shown(_ path: String) -> String {
        let here = workingDirectory() + "/"
        return visible(path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path)
    }

    // MARK: Names

    private struct Pattern {
        let text: String
        let host: String, app: String, name: String

        /// `HOST/APP/NAME`, or with `isPartial` also `HOST` and `HOST/APP`.
        init(_ text: String, isPartial: Bool) throws(CommandError) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            guard isPartial ? (1...3).contains(parts.count) : parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
                throw CommandError("'\(visible(text))' does not name a secret", "Name it as HOST/APP/NAME, such as web1/shop/db-password.")
            }
            self.text = text
            host = parts[0]
            app = parts.count > 1 ? parts[1] : "*"
            name = parts.count > 2 ? parts[2] : "*"
        }

        func has(_ place: Place) -> Bool {
            matches(place.host.text, host) && matches(place.app.text, app) && matches(place.name, name)
        }
    }

    private static func matches(_ text: String, _ pattern: String) -> Bool { matchesGlob(Array(text.utf8), Array(pattern.utf8)) }

    /// Where a new secret goes: one place for each host and app that the patterns match.
    func targets(_ text: String) throws -> [Place] {
        let pattern = try Pattern(text, isPartial: false)
        guard SecretsDirectory.isName(pattern.name) else {
            throw CommandError(
                "'\(visible(pattern.name))' is not a name for a secret",
                "Use letters, digits, '.', '-' and '_', the first a letter or digit; Deptool adds '.age' to the file's name.")
        }
        let hosts = hosts().filter { Self.matches($0.text, pattern.host) }
        guard !hosts.isEmpty else {
            throw CommandError(
                "no host matches '\(visible(pattern.host))'", "The hosts are the directories in \(shown(workspace.directory)).")
        }
        let places = hosts.flatMap { host in
            directories("\(workspace.directory)/\(host.text)").compactMap(AppName.init).filter { Self.matches($0.text, pattern.app) }
                .map { Place(host: host, app: $0, name: pattern.name) }
        }
        guard !places.isEmpty else {
            let shared = hosts.flatMap { host in
                namesOfEntries(in: "\(workspace.directory)/\(host.text)", .symlink).filter { Self.matches($0, pattern.app) }.map {
                    "\(host.text)/\($0)"
                }
            }
            if let first = shared.first {
                throw CommandError(
                    "\(shown("\(workspace.directory)/\(first)")) is a symlink, and a secret belongs to one host",
                    "Make it a directory of symlinks to the shared files: then the host has a place of its own for 'secrets/'.")
            }
            throw CommandError(
                "there is no app '\(visible(pattern.app))' on \(hosts.map(\.text).joined(separator: ", "))",
                "Make its directory first, such as \(shown("\(workspace.directory)/\(hosts[0].text)/\(pattern.app)")).")
        }
        return places.sorted()
    }

    /// The secrets that there are. Throws if a pattern matches none.
    func existing(_ patterns: [String]) throws -> [Place] {
        let patterns = try patterns.map { text throws(CommandError) in try Pattern(text, isPartial: true) }
        var all: [Place] = []
        for host in hosts() {
            for app in directories("\(workspace.directory)/\(host.text)").compactMap(AppName.init) {
                for file in namesOfEntries(in: "\(workspace.directory)/\(host.text)/\(app.text)/secrets", .regular)
                where file.hasSuffix(".age") {
                    let name = String(file.dropLast(4))
                    if SecretsDirectory.isName(name) { all.append(Place(host: host, app: app, name: name)) }
                }
            }
        }
        if let unknown = patterns.first(where: { !all.contains(where: $0.has) }) {
            throw CommandError(
                "no secret matches '\(visible(unknown.text))'",
                near(unknown.text, among: all.map(\.text)).map { "Did you mean '\($0)'?" } ?? "`deptool secret list` lists them.")
        }
        return all.filter { place in patterns.isEmpty || patterns.contains { $0.has(place) } }.sorted()
    }

    /// The one secret of this name.
    func one(_ text: String) throws -> Place {
        let places = try existing([text])
        guard places.count == 1 else {
            throw CommandError(
                "'\(visible(text))' matches \(places.count) secrets", "Name one: \(places.map(\.text).joined(separator: ", ")).")
        }
        return places[0]
    }

    func hosts() -> [Hostname] { directories(workspace.directory).compactMap(Hostname.init) }

    func hasDirectory(of host: Hostname) -> Bool { directories(workspace.directory).contains(host.text) }

    private func directories(_ path: String) -> [String] { namesOfEntries(in: path, .directory) }

    // MARK: Files

    func read(_ place: Place) throws -> [UInt8] {
        try checkComponents(place)
        let bytes = try contents(path(place), limit: SealedFile.limit)
        guard let bytes else { throw CommandError("there is no secret \(place.text)") }
        return bytes
    }

    func exists(_ place: Place) -> Bool { Platform.exists(path(place)) }

    func write(_ sealed: [UInt8], to place: Place) throws(CommandError) {
        try checkComponents(place)
        let path = path(place)
        try attempt(unwritable(path), try ensureDirectory(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])))
        try replace(path, with: sealed)
    }

    /// Replaces the file in one step.
    private func replace(_ path: String, with content: [UInt8]) throws(CommandError) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let directory = String(path[..<slash])
        let temporary = "\(directory)/.\(path[slash...].dropFirst()).\(processID)"
        let file = try attempt(unwritable(path), try FileDescriptor(creating: temporary, mode: 0o644))
        do throws(Errno) {
            try file.writeAll(content.span)
            try file.synchronize()
            try rename(temporary, to: path)
        } catch {
            try? unlink(temporary)
            throw CommandError(unwritable(path), error)
        }
        try? FileDescriptor(directory: directory).synchronize()
    }

    private func unwritable(_ path: String) -> String { "cannot write \(shown(path))" }

    /// A symlink could lead out of the config tree.
    private func checkComponents(_ place: Place) throws(CommandError) {
        var path = workspace.directory
        for (part, isFile) in [(place.host.text, false), (place.app.text, false), ("secrets", false), ("\(place.name).age", true)] {
            path += "/" + part
            guard let kind = (try? status(of: path))?.kind else { return }
            guard kind == (isFile ? .regular : .directory) else {
                throw CommandError("\(shown(path)) is \(kind == .symlink ? "a symlink" : "no \(isFile ? "file" : "directory")")")
            }
        }
    }

    /// Nil if there is no such file.
    private func contents(_ path: String, limit: Int) throws(CommandError) -> [UInt8]? {
        do throws(Errno) {
            return try FileDescriptor(reading: path).readAll(limit: limit)
        } catch .noSuchFileOrDirectory {
            return nil
        } catch .tooManySymbolicLinkLevels {
            throw CommandError("\(shown(path)) is a symlink, which `deptool secret` does not follow")
        } catch .fileTooLarge {
            throw CommandError("\(shown(path)) is larger than \(limit >> 20) MiB")
        } catch {
            throw CommandError("cannot read \(shown(path))", error)
        }
    }

    // MARK: Recipients

    private var recipientsPath: String { "\(workspace.directory)/\(RecipientsFile.name)" }

    func operators() throws -> [Recipient] {
        guard let bytes = try contents(recipientsPath, limit: 1 << 20) else { return [] }
        do throws(RecipientsFile.LineError) {
            return try RecipientsFile(parsing: bytes).recipients
        } catch {
            throw CommandError("\(shown(recipientsPath)):\(error.line): \(error.problem.phrase)")
        }
    }

    /// The host's own keys; asks for that of a host that was never seen, if somebody is there. Throws if the key is only in
    /// `host.json`: anybody who can change that file could have written it.
    func recipients(of host: Hostname, asks: Prompts = .none, isTrusting: Bool = false) throws -> [Recipient] {
        let options = try options(of: host)
        if !isTrusting, try isUnconfirmed(options.identity, of: host) {
            throw CommandError(
                "you have not confirmed that \(host.text) opens secrets with the key in \(shown(optionsPath(host)))",
                "Run `deptool secret enroll \(host.text)`: it logs in to the host and compares its key.")
        }
        do {
            var found = try keys.known(host, options)
            if found.isEmpty, asks.confirm != nil { found = try keys.ask(host, asks) }
            return try found.map { try Recipient($0, name: host.text) }
        } catch let error as SSHError {
            throw CommandError("\(host.text): \(error.phrase)")
        } catch let error as Recipient.ParseError {
            throw CommandError("the key of \(host.text): \(error.phrase)")
        }
    }

    func optionsPath(_ host: Hostname) -> String { "\(workspace.directory)/\(host.text)/\(HostOptions.fileName)" }

    private func options(of host: Hostname) throws(CommandError) -> HostOptions {
        let path = optionsPath(host)
        guard let bytes = try contents(path, limit: 1 << 20) else { return HostOptions() }
        do throws(FormatError) {
            return try HostOptions(parsing: bytes)
        } catch {
            throw CommandError("\(shown(path)):\(error.line): \(error.phrase)")
        }
    }

    private func confirmationKey(_ host: Hostname) -> String { "deptool.\(workspace.cluster).identity.\(host.text)" }

    /// Whether `host.json` alone claims that its key is the host's.
    func hasUnconfirmedKey(_ host: Hostname) throws -> Bool { try isUnconfirmed(options(of: host).identity, of: host) }

    private func isUnconfirmed(_ identity: String?, of host: Hostname) throws -> Bool {
        guard let identity else { return false }
        let (directory, place) = (workspace.directory, workspace.store.place)
        return try reporting { try !KnownStores.ofUser().allows(identity, for: confirmationKey(host), of: directory, in: place) }
    }

    /// Notes for this user that the host has this key.
    func confirm(_ identity: String, of host: Hostname) throws {
        let (directory, place) = (workspace.directory, workspace.store.place)
        try reporting { try KnownStores.ofUser().allow(identity, for: confirmationKey(host), of: directory, in: place) }
    }

    /// Another host with this key in its `host.json`.
    func other(than host: Hostname, with identity: String) -> Hostname? {
        hosts().first { $0 != host && (try? options(of: $0).identity) == identity }
    }

    func identity(of host: Hostname) throws(CommandError) -> String? { try options(of: host).identity }

    /// Writes the key into the host's `host.json`, and leaves everything else there as it is. False if it is there already.
    func enroll(_ host: Hostname, _ identity: String) throws(CommandError) -> Bool {
        let path = optionsPath(host)
        let known = try options(of: host).identity
        guard known != identity else { return false }
        let text = try contents(path, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) } ?? "{}\n"
        let member = "\n  \"identity\": \"\(identity)\""
        let changed: String
        if let known {
            changed = text.replacing(known, with: identity)
        } else {
            let parts = text.split(separator: "{", maxSplits: 1, omittingEmptySubsequences: false)
            let rest = parts.last ?? "}"
            changed = "\(parts[0]){\(member)\(rest.drop(while: \.isWhitespace).first == "}" ? "\n" : ",")\(rest)"
        }
        // JSON can write the same text in other ways.
        guard let options = try? HostOptions(parsing: Array(changed.utf8)), options.identity == identity else {
            throw CommandError("cannot change 'identity' in \(shown(path))", "Write there: \"identity\": \"\(identity)\"")
        }
        try replace(path, with: Array(changed.utf8))
        return true
    }

    /// For whom a host's secrets are sealed: the host, then the operators.
    func recipients(of host: Hostname, _ operators: [Recipient], asks: Prompts) throws -> [Recipient] {
        let own = try recipients(of: host, asks: asks)
        guard !own.isEmpty else {
            throw CommandError(
                "the ed25519 key of \(host.text) is not in known_hosts, so nothing can be sealed for it",
                "Run `ssh -o HostKeyAlgorithms=ssh-ed25519 \(host.text)` once, and compare the fingerprint that it shows. A host without "
                    + "such a key gets another with `deptool secret enroll \(host.text)`.")
        }
        return own + operators.filter { one in !own.contains { $0.key == one.key } }
    }

    /// Throws if nothing can be sealed for one of the hosts, before anybody types a value.
    func checkRecipients(of places: [Place], asks: Prompts) throws {
        let operators = try operators()
        for host in Set(places.map(\.host)).sorted() { _ = try recipients(of: host, operators, asks: asks) }
    }

    struct Sealed {
        let place: Place
        let recipients: [Recipient]
        /// How many of them are keys of the host.
        let hostKeys: Int
    }

    /// Seals a value at each place. Nothing is written unless all of them can be.
    func seal(_ value: borrowing SecretBytes, at places: [Place], asks: Prompts) throws -> [Sealed] {
        guard value.count <= SealedFile.contentLimit else {
            throw CommandError("a secret has at most \(SealedFile.contentLimit / 1000) kB")
        }
        let operators = try operators()
        var recipients: [Hostname: [Recipient]] = [:]
        var sealed: [(place: Place, bytes: [UInt8])] = []
        for place in places {
            let known = try recipients[place.host] ?? self.recipients(of: place.host, operators, asks: asks)
            recipients[place.host] = known
            guard let bytes = SealedFile.seal(value, for: known) else {
                throw CommandError("nothing can be sealed for one of the keys of \(place.host.text) and \(shown(recipientsPath))")
            }
            // The keys of all recipients are in the header, which has a limit.
            guard (try? SealedFile(bytes)) != nil else {
                throw CommandError("there are too many recipients for one file: \(known.count)", "\(shown(recipientsPath)) lists them.")
            }
            sealed.append((place, bytes))
        }
        for file in sealed { try write(file.bytes, to: file.place) }
        return places.map { place in
            let all = recipients[place.host] ?? []
            return Sealed(
                place: place, recipients: all, hostKeys: all.count - all.count { one in operators.contains { $0.key == one.key } })
        }
    }

    // MARK: Opening

    /// Throws if nothing shows that the host could ever open the file: neither its present keys, nor the last deploy that this
    /// store recorded. It could be a secret of another host, and would be sealed for this one.
    func checkOrigin(_ file: SealedFile, _ bytes: [UInt8], at place: Place) throws {
        let own = try recipients(of: place.host)
        guard !own.contains(where: { $0.tag.map(file.isSealed) ?? false }), try !wasDeployed(bytes, at: place) else { return }
        let origin = hosts().first { other in
            other != place.host && ((try? recipients(of: other)) ?? []).contains { $0.tag.map(file.isSealed) ?? false }
        }
        throw CommandError(
            "\(shown(path(place))) is not sealed for \(place.host.text), and was never deployed there",
            (origin.map { "It is sealed for \($0.text). " } ?? "")
                + "If \(place.host.text) may read the value, run `deptool secret rekey --trust \(place.text)`.")
    }

    private func wasDeployed(_ bytes: [UInt8], at place: Place) throws -> Bool {
        let store = workspace.store
        return try reporting {
            guard let commit = try store.deployedCommit(place.host), var tree = try store.tree(of: place.host, in: commit) else {
                return false
            }
            for part in [place.app.text, RelativePath.secrets] {
                guard let entry = try store.tree(tree).first(where: { $0.name == part && $0.kind == .directory }) else { return false }
                tree = entry.id
            }
            return try store.tree(tree).contains { $0.name == "\(place.name).age" && $0.id == .of(.blob, bytes) }
        }
    }

    func sealedFile(_ bytes: [UInt8], at place: Place) throws(CommandError) -> SealedFile {
        do throws(AgeError) {
            return try SealedFile(bytes)
        } catch {
            throw CommandError("\(shown(path(place))) is \(error.phrase)")
        }
    }

    func open(_ place: Place, _ ring: KeyRing) throws -> SecretBytes { try open(sealedFile(read(place), at: place), at: place, ring) }

    func open(_ file: SealedFile, at place: Place, _ ring: KeyRing) throws -> SecretBytes {
        var value: SecretBytes?
        var failure: KeyRing.OpenError?
        uninterrupted {
            do throws(KeyRing.OpenError) { value = try ring.open(file) } catch { failure = error }
        }
        if let value { return value }
        guard case .noKey(let keys) = failure else {
            guard case .file(let problem) = failure else { preconditionFailure("there is a value or a failure") }
            throw CommandError("\(shown(path(place))) is \(problem.phrase)")
        }
        let looked = keys.map { "\(visible($0.path)): \($0.reason?.phrase ?? "it is not sealed for this key"). " }.joined()
        throw CommandError(
            "no key here opens \(shown(path(place)))",
            (keys.isEmpty ? "There is neither ~/.ssh/id_ed25519 nor ~/.ssh/id_rsa. " : looked)
                + "Name a private key with `-i`; keys that only ssh-agent holds, and security keys (FIDO), cannot open.")
    }
}
