import Model
import Platform

/// Follows the symlinks of a config tree to files and directories that hosts share, and reads each of those once.
///
/// A symlink may lead to anything in the same repository, see `repository(of:home:)`. Nothing elsewhere is opened or
/// looked at, whatever changes meanwhile: paths are resolved below an open directory, component by component.
final class SharedFiles {
    private let place: RepositoryPlace
    private let store: String
    private let root: FileDescriptor
    /// By path below the repository: as a symlink has it, and without symlinks.
    private var known: [String: Shared] = [:]
    private var knownReal: [String: Shared] = [:]
    /// The directories, below the repository, that contain the symlinks being followed.
    private var way: [String] = []

    /// The most records that a host has through symlinks. Directories of symlinks to directories of symlinks grow
    /// exponentially.
    private static let maximumCount = 250_000
    /// As deep as a directory without symlinks may be.
    private static let deepest = 64

    /// `directory` is the cluster's, without symlinks, and `store` the store's.
    init(of directory: String, store: String) throws(ImportError) {
        place = RepositoryPlace(of: directory)
        self.store = store
        do throws(Errno) { root = try FileDescriptor(directory: place.root) } catch { throw .unreadable(path: place.root, error) }
    }

    /// Opens a file below the repository, through no symlink.
    func open(_ path: String) throws(Errno) -> FileDescriptor { try root.open(beneath: path, isDirectory: false) }

    /// A host's scan with what its symlinks lead to in their place.
    func follow(_ scan: [UInt8], of host: Hostname) throws(ImportError) -> Expansion {
        let directory = joined(place.cluster, host.text)
        way = [directory]
        var result = Expansion()
        for piece in try pieces(scan, in: 0..<scan.count, View(host: host, directory: directory, depth: 0)) {
            result.append(piece)
            guard result.count <= Self.maximumCount else { throw .link(Self.place(host, piece.name, []), .tooMany) }
        }
        return result
    }

    /// Records, and what those of them share that were symlinks, by their number.
    struct Expansion {
        var bytes: [UInt8] = []
        var count = 0
        var shared: [Int: Shared] = [:]

        fileprivate mutating func append(_ piece: Piece) {
            if let own = piece.shared { shared[count] = own }
            for (index, inner) in piece.inner { shared[count + 1 + index] = inner }
            bytes += [piece.kind.rawValue, UInt8(piece.name.count)]
            bytes += piece.name
            bytes += piece.body
            count += 1 + piece.count
        }
    }

    /// One record and those below it: the text after its name, their number, and their shared files.
    fileprivate struct Piece {
        var kind: ScanRecord.Kind
        var name: [UInt8]
        var body: [UInt8]
        var count = 0
        var inner: [Int: Shared] = [:]
        var shared: Shared?
    }

    /// A directory whose entries are looked at: where the host has it, and where it is, below the repository.
    private struct View {
        var host: Hostname
        /// The names that lead there from the host's directory.
        var names: [[UInt8]] = []
        var directory: String
        var depth: Int
    }

    private static func place(_ host: Hostname, _ name: [UInt8], _ names: [[UInt8]]) -> ImportError.Place {
        let path = (names + [name]).map { shown($0) }
        guard path.count > 1, let app = AppName(path[0]) else {
            return ImportError.Place(host: host, app: nil, path: path.joined(separator: "/"))
        }
        return ImportError.Place(host: host, app: app, path: path.dropFirst().joined(separator: "/"))
    }

    private func pieces(
        _ scan: [UInt8], in range: Range<Int>, _ view: View
    ) throws(ImportError) -> [Piece] {
        var pieces: [Piece] = []
        var isSorted = true
        for record in scanRecords(scan, in: range) ?? [] {
            let name = Array(scan[record.name])
            var piece = Piece(
                kind: record.kind, name: name, body: Array(scan[record.name.upperBound..<record.end]), count: record.count)
            var inner = view
            inner.names.append(name)
            inner.depth += 1
            switch record.kind {
            case .symlink:
                let text = String(validating: scan[record.target], as: UTF8.self)
                guard let shared = try shared(text, name, from: view, in: inner) else { break }
                piece = Piece(
                    kind: shared.kind, name: name, body: shared.body, count: shared.count, inner: shared.inner, shared: shared)
                isSorted = isSorted && shared.kind != .directory
            case .directory where record.count > 0:
                inner.directory = joined(view.directory, shown(name))
                way.append(inner.directory)
                let below = try directory(scan, record.below, inner)
                way.removeLast()
                (piece.body, piece.count, piece.inner) = (below.body, below.count, below.inner)
            default: break
            }
            pieces.append(piece)
        }
        // A directory has another place in Git's order than the symlink to it.
        if !isSorted { pieces.sort { $0.order.lexicographicallyPrecedes($1.order) } }
        return pieces
    }

    /// The text after the name in a directory's record.
    private func directory(
        _ scan: [UInt8], _ range: Range<Int>, _ view: View
    ) throws(ImportError) -> (body: [UInt8], count: Int, inner: [Int: Shared], height: Int) {
        var result = Expansion()
        var height = 0
        for piece in try pieces(scan, in: range, view) {
            height = max(height, (piece.shared?.height ?? 0) + 1)
            result.append(piece)
            guard result.count <= Self.maximumCount, result.bytes.count < Int(UInt32.max) else {
                throw .link(Self.place(view.host, piece.name, view.names), .tooMany)
            }
        }
        var body: [UInt8] = []
        body.append(native: UInt32(result.count))
        body.append(native: UInt32(result.bytes.count))
        return (body + result.bytes, result.count, result.shared, height)
    }

    /// The target of a symlink; nil for one beside a host's apps that does not lead to an app, which is skipped like
    /// other files there. `view` is the directory that contains it, `inner` itself.
    private func shared(_ text: String?, _ name: [UInt8], from view: View, in inner: View) throws(ImportError) -> Shared? {
        func problem(_ problem: ImportError.LinkProblem) -> ImportError { .link(Self.place(view.host, name, view.names), problem) }
        let isBesideApps = view.names.isEmpty
        guard let text else { throw problem(.notUTF8) }
        // The directory has no symlinks on its way: one more `..` at the beginning of the text is one component less.
        var directory = view.directory.split(separator: "/")
        var rest = text.split(separator: "/", omittingEmptySubsequences: false)[...]
        var leaves = text.hasPrefix("/")
        while !leaves, let first = rest.first, first == ".." || first == "." || first.isEmpty {
            rest.removeFirst()
            if first == "..", directory.popLast() == nil { leaves = true }
        }
        let path = (directory + rest).joined(separator: "/")
        // A path that leaves the repository is not the one that its remaining components name.
        var shared = leaves ? nil : known[path]
        if shared == nil, !leaves {
            var found: (real: [UInt8], status: FileStatus)?
            do throws(Errno) { found = try root.follow(path) } catch {
                switch error {
                case .improperLink: leaves = true
                case .tooManySymbolicLinkLevels: throw problem(.loop)
                case .noSuchFileOrDirectory, .notDirectory: throw problem(.dangling)
                default: throw .unreadable(path: "\(place.root)/\(view.directory)/\(shown(name))", error)
                }
            }
            if let (bytes, status) = found {
                guard let real = String(validating: bytes, as: UTF8.self) else { throw problem(.notUTF8) }
                shared = knownReal[real]
                if shared == nil { shared = try make(of: real, status, from: inner, problem: problem) }
                knownReal[real] = shared
                known[path] = shared
            }
        }
        guard let shared else {
            if isBesideApps, shown(name) != HostTreeImport.hostFile,
                !isDirectory("\(place.root)/\(view.directory)/\(shown(name))")
            {
                return nil
            }
            throw problem(.leaves(place.root))
        }
        // A target that was read before is a loop, too, if the path leads through a directory in it.
        if shared.kind == .directory, way.contains(where: { isInside($0, shared.path) }) { throw problem(.loop) }
        if view.depth + 1 + shared.height > Self.deepest { throw problem(.tooDeep) }
        if isBesideApps, shared.kind != .directory, shown(name) != HostTreeImport.hostFile { return nil }
        guard shared.kind != .device else { throw problem(.special) }
        return shared
    }

    private func make(
        of real: String, _ status: FileStatus, from view: View, problem: (ImportError.LinkProblem) -> ImportError
    ) throws(ImportError) -> Shared {
        if status.kind == .directory, way.contains(where: { isInside($0, real) }) { throw problem(.loop) }
        if real.split(separator: "/").contains(where: { $0.lowercased() == ".git" }) { throw problem(.git) }
        let full = joined(place.root, real)
        if isInside(full, store) || status.kind == .directory && isInside(store, full) { throw problem(.store) }
        switch status.kind {
        case .regular:
            var stamp: [UInt8] = []
            stamp.append(native: status.size)
            stamp.append(native: status.mtime_ns)
            stamp.append(native: status.ctime_ns)
            stamp.append(native: status.inode)
            return Shared(real, status.mode & 0o100 == 0 ? .file : .executable, stamp)
        case .directory: break
        default: return Shared(real, .device, [])
        }
        guard view.depth < Self.deepest else { throw problem(.tooDeep) }
        let scan: [UInt8]
        do throws(Errno) {
            scan = try DirectoryScan.tree(root.open(beneath: real, isDirectory: true))
        } catch {
            throw .unreadable(path: full, error)
        }
        var view = view
        view.directory = real
        way.append(real)
        let below = try directory(scan, 0..<scan.count, view)
        way.removeLast()
        return Shared(real, .directory, below.body, count: below.count, inner: below.inner, height: below.height)
    }
}

/// A file or directory that symlinks lead to.
final class Shared {
    /// Below the repository, without symlinks.
    let path: String
    let kind: ScanRecord.Kind
    /// The text after the name in its record.
    fileprivate let body: [UInt8]
    fileprivate let count: Int
    fileprivate let inner: [Int: Shared]
    /// The levels of directories below it.
    fileprivate let height: Int

    /// Its imported entries, by their paths in an app.
    var imports: [String: Import] = [:]

    struct Import {
        var id: ObjectID?
        var ids: [UInt8]
        var remembered: [UInt8]
    }

    fileprivate init(
        _ path: String, _ kind: ScanRecord.Kind, _ body: [UInt8], count: Int = 0, inner: [Int: Shared] = [:], height: Int = 0
    ) {
        self.path = path
        self.kind = kind
        self.body = body
        self.count = count
        self.inner = inner
        self.height = height
    }
}

/// The repository that a config tree is in.
package struct RepositoryPlace: Hashable, Sendable {
    /// Without symlinks.
    package let root: String
    /// The cluster's directory below it; may be empty.
    package let cluster: String

    /// `directory` is the cluster's, without symlinks. The repository is the Git work tree around it, or else the
    /// directory that holds the cluster's, where the render hook runs. Where that would be the home directory or above
    /// it, which hold keys that no host should get, it is the cluster's directory itself.
    package init(of directory: String, home: String? = account()?.home) {
        let parts = directory.split(separator: "/")
        func path(_ count: Int) -> String { "/" + parts.prefix(count).joined(separator: "/") }
        func isWorkTree(_ path: String) -> Bool {
            let kind = (try? status(of: joined(path, ".git")))?.kind
            return kind == .directory || kind == .regular
        }
        let depth = stride(from: parts.count, through: 0, by: -1).first { isWorkTree(path($0)) } ?? max(parts.count - 1, 0)
        let home = home.flatMap { try? resolved($0) }
        let isTooWide = depth == 0 || home.map { isInside($0, path(depth)) } ?? false
        let count = isTooWide ? parts.count : depth
        root = path(count)
        cluster = parts.dropFirst(count).joined(separator: "/")
    }
}

/// Whether a path is the directory or below it; both without symlinks, and below the same.
private func isInside(_ path: String, _ directory: String) -> Bool {
    directory.isEmpty || directory == "/" || path == directory || path.utf8.starts(with: (directory + "/").utf8)
}

private func joined(_ directory: String, _ name: String) -> String {
    if name.isEmpty { return directory }
    return directory.isEmpty || directory == "/" ? directory + name : "\(directory)/\(name)"
}

extension SharedFiles.Piece {
    /// The name as Git orders it.
    fileprivate var order: [UInt8] { kind == .directory ? name + [0x2f] : name }
}
