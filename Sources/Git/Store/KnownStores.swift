import Model
import Platform

/// The stores that this user made or adopted, and the commands that the user allowed for them.
///
/// This is kept outside the stores, in `deptool/stores` of `$XDG_STATE_HOME`: the contents of a store may have come
/// with someone else's files, such as a checkout. An entry is a directory named after a random number that is also in
/// the store's file `marks`, and nowhere else. It contains a file `path` and the allowed commands, one per file.
package struct KnownStores {
    private let directory: String
    private static let marksName = "marks"
    /// In bytes.
    private static let maximumMarks = 1 << 16

    /// Uses this directory, which `prepare` creates.
    package init(in directory: String) { self.directory = directory }

    /// The known stores of the user who runs this program.
    package static func ofUser() throws(StoreError) -> KnownStores {
        if let state = environment("XDG_STATE_HOME"), state.hasPrefix("/") { return KnownStores(in: state + "/deptool/stores") }
        // sudo and containers may leave HOME set to another user's.
        for home in [environment("HOME"), account()?.home].compactMap({ $0 }) where home.hasPrefix("/") {
            guard let place = try? resolved(home), (try? status(of: place))?.uid == userID else { continue }
            return KnownStores(in: place + "/.local/state/deptool/stores")
        }
        throw .noHome
    }

    /// Creates the directory.
    package func prepare() throws(StoreError) {
        var path = ""
        for part in directory.split(separator: "/") {
            path += "/" + part
            try ensureDirectory(path)
        }
        _ = try place()
    }

    /// The directory, after checking that only this user can change it; nil if there is none.
    private func place() throws(StoreError) -> String? {
        let path: String
        do throws(StoreError) {
            path = try resolved(directory)
        } catch .file(_, _, .noSuchFileOrDirectory) {
            return nil
        }
        try Exposure.checkWay(to: path)
        try Exposure.check(path)
        return path
    }

    // MARK: Stores

    /// Whether the user made or adopted this store, wherever it was at that time.
    package func contains(_ store: StorePath) throws(StoreError) -> Bool { try entry(of: store) != nil }

    /// Adds the store. Commands that were allowed for an earlier store at this path do not carry over.
    package func add(_ store: StorePath) throws(StoreError) {
        try prepare()
        guard let place = try place() else { throw .absent(path: directory) }
        for name in try namesOfEntries(in: place) where path(of: "\(place)/\(name)") == store.path {
            try? removeTree("\(place)/\(name)")
        }
        let mark = (0..<2).map { _ in
            let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
        let entry = "\(place)/\(mark)"
        try attempt("create", entry, try makeDirectory(entry, mode: 0o700))
        try replace("\(entry)/path", in: entry, Array(store.path.utf8))
        let marks = "\(store.path)/\(Self.marksName)"
        try append(mark + "\n", to: try attempt("open", marks, try FileDescriptor(appendingTo: marks, mode: 0o600)), at: marks)
    }

    private func entry(of store: StorePath) throws(StoreError) -> String? {
        guard let place = try place(), let marks = try Self.contents(of: "\(store.path)/\(Self.marksName)", maximum: Self.maximumMarks)
        else {
            return nil
        }
        for line in marks.split(separator: UInt8(ascii: "\n")) {
            // Only digits, since it becomes part of a path.
            guard line.count == 32, line.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { continue }
            let entry = place + "/" + String(decoding: line, as: UTF8.self)
            guard (try? status(of: entry))?.kind == .directory else { continue }
            // The store has moved.
            if path(of: entry) != store.path { try? replace("\(entry)/path", in: entry, Array(store.path.utf8)) }
            return entry
        }
        return nil
    }

    private func path(of entry: String) -> String? {
        ((try? Self.contents(of: "\(entry)/path", maximum: 1 << 16)) ?? nil).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Commands

    /// Whether the user allowed this exact command, for the setting `key` of the store, to run for `subject`, a
    /// cluster's directory.
    package func allows(_ command: String, for key: String, of subject: String, in store: StorePath) throws(StoreError) -> Bool {
        guard let entry = try entry(of: store) else { return false }
        let expected = Self.text(command, key: key, subject: subject)
        return try Self.contents(of: Self.commandPath(entry, key: key, subject: subject), maximum: expected.count) == expected
    }

    /// Allows the command, replacing the one allowed before.
    package func allow(_ command: String, for key: String, of subject: String, in store: StorePath) throws(StoreError) {
        guard let entry = try entry(of: store) else { throw .unknownStore(path: store.path) }
        try replace(Self.commandPath(entry, key: key, subject: subject), in: entry, Self.text(command, key: key, subject: subject))
    }

    private static func text(_ command: String, key: String, subject: String) -> [UInt8] {
        Array("\(key)\0\(subject)\0\(command)".utf8)
    }

    /// The name only locates the file; its content is what counts.
    private static func commandPath(_ entry: String, key: String, subject: String) -> String {
        "\(entry)/command-\(ObjectID.of(.blob, text("", key: key, subject: subject)).hex)"
    }

    // MARK: Files

    private func replace(_ path: String, in entry: String, _ bytes: [UInt8]) throws(StoreError) {
        let file = try OutputFile(in: entry, mode: 0o600)
        try file.write(bytes)
        try file.finish(as: path, .now)
    }

    /// Nil if the file does not exist or is longer.
    private static func contents(of path: String, maximum: Int) throws(StoreError) -> [UInt8]? {
        do throws(StoreError) {
            guard try attempt("look at", path, try status(of: path)).size <= maximum else { return nil }
        } catch .file(_, _, .noSuchFileOrDirectory) {
            return nil
        }
        return try readFile(path)
    }
}
