import AgentCore
import CSystem
import Foundation
import Model
import TestSupport
import Testing

/// The content of a disk, by inode.
struct Disk {
    struct Attributes: Equatable {
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        /// Of files only.
        var mtime: Int64
    }

    struct Inode {
        var kind: csys_kind
        var attributes: Attributes
        var content: [UInt8] = []
        var target = ""
        var entries: [String: UInt64] = [:]
    }

    var inodes: [UInt64: Inode] = [:]
    var root: UInt64 = 0

    init(reading path: String) throws {
        func visit(_ path: String) throws -> UInt64 {
            var status = csys_stat()
            try #require(csys_lstat(path, &status) == 0)
            let mtime = status.kind == csys_kind_directory ? 0 : status.mtime_ns
            let attributes = Attributes(mode: status.mode, uid: status.uid, gid: status.gid, mtime: mtime)
            var inode = Inode(kind: status.kind, attributes: attributes)
            switch status.kind {
            case csys_kind_directory:
                for name in try FileManager.default.contentsOfDirectory(atPath: path) {
                    inode.entries[name] = try visit(path + "/" + name)
                }
            case csys_kind_symlink: inode.target = try FileManager.default.destinationOfSymbolicLink(atPath: path)
            default: inode.content = Array(try #require(FileManager.default.contents(atPath: path)))
            }
            inodes[status.inode] = inode
            return status.inode
        }
        root = try visit(path)
    }

    /// The inode at a path from the root.
    func inode(at path: String) -> UInt64? {
        var here = root
        for name in path.split(separator: "/") {
            guard let next = inodes[here]?.entries[String(name)] else { return nil }
            here = next
        }
        return here
    }

    /// The content, equal for disks that no agent can distinguish: without inode numbers and our own times.
    var fingerprint: Int {
        var hasher = Hasher()
        func visit(_ id: UInt64, _ path: String) {
            guard let inode = inodes[id] else { return }
            let isOurs = path.hasPrefix("/var/lib/deptool/")
            hasher.combine(path)
            hasher.combine([inode.attributes.mode, inode.attributes.uid, inode.attributes.gid])
            if !isOurs { hasher.combine(inode.attributes.mtime) }
            hasher.combine(inode.target)
            // These two contain the time when they were written.
            if ["/var/lib/deptool/store/lock", "/var/lib/deptool/store/log"].contains(path) {
                hasher.combine(inode.content.count)
            } else {
                hasher.combine(inode.content)
            }
            for (name, entry) in inode.entries.sorted(by: { $0.key < $1.key }) { visit(entry, path + "/" + name) }
        }
        visit(root, "")
        return hasher.finalize()
    }

    /// Recreates all of it in a directory that does not exist.
    func write(to path: String) throws {
        func make(_ id: UInt64, _ path: String) throws {
            let inode = try #require(inodes[id])
            let attributes = inode.attributes
            switch inode.kind {
            case csys_kind_directory:
                try #require(csys_mkdir(path, 0o700) == 0)
                for (name, entry) in inode.entries { try make(entry, path + "/" + name) }
            case csys_kind_symlink: try #require(csys_symlink(inode.target, path) == 0)
            default:
                let descriptor = csys_create_new(path, 0o600)
                try #require(descriptor >= 0)
                if !inode.content.isEmpty {
                    try #require(csys_write(descriptor, inode.content, inode.content.count) == inode.content.count)
                }
                _ = csys_close(descriptor)
            }
            try #require(lchown(path, attributes.uid, attributes.gid) == 0)
            if inode.kind != csys_kind_symlink { try #require(chmod(path, attributes.mode) == 0) }
            if inode.kind != csys_kind_directory { try #require(csys_set_mtime(path, attributes.mtime) == 0) }
        }
        try make(root, path)
    }
}

/// Intercepts the operations of agents, and records the changes of each to the disk, and which made them durable.
final class Recorder: OperationGate {
    enum Event {
        /// Directory entries that change together: a rename is one event.
        case entries([Entry])
        case content(UInt64, [UInt8])
        case attributes(UInt64, Disk.Attributes)
        /// A file or directory is durable from here on.
        case sync(UInt64)
        case syncAll

        struct Entry {
            var directory: UInt64
            var name: String
            var inode: UInt64?
        }
    }

    let start: Disk
    private let path: String
    private var last: Disk
    /// Every inode that there ever was, as it was made.
    private(set) var inodes: [UInt64: Disk.Inode]
    private(set) var events: [Event] = []
    private var pending: Event?
    private var count = 0
    /// From this operation on the agent can do nothing any more, as if it were killed; nil for a healthy one.
    var deadFrom: Int?

    init(_ host: TestHost) throws {
        path = host.root
        start = try Disk(reading: path)
        last = start
        inodes = start.inodes
    }

    func pass(_ operation: AgentCore.Operation, _ path: String) -> Int32 {
        count += 1
        if let deadFrom, count >= deadFrom { return 5 }
        look()
        switch operation {
        case .sync: pending = last.inode(at: path).map { .sync($0) }
        case .syncFileSystem: pending = .syncAll
        default: break
        }
        return 0
    }

    func allowance(_ count: Int) -> Int { count }

    /// Counts from one again.
    func restart() { count = 0 }

    /// Determines the effect of the operation before.
    func look() {
        guard let now = try? Disk(reading: path) else {
            Issue.record("the disk cannot be read")
            return
        }
        var entries: [Event.Entry] = []
        for (id, inode) in now.inodes {
            let before = last.inodes[id]
            let names = before?.entries ?? [:]
            for (name, entry) in inode.entries where names[name] != entry {
                entries.append(.init(directory: id, name: name, inode: entry))
            }
            for name in names.keys where inode.entries[name] == nil {
                entries.append(.init(directory: id, name: name, inode: nil))
            }
            if inode.kind == csys_kind_regular, inode.content != before?.content ?? [] {
                events.append(.content(id, inode.content))
            } else if let before, inode.attributes != before.attributes {
                events.append(.attributes(id, inode.attributes))
            }
            if inodes[id] == nil { inodes[id] = inode }
        }
        if !entries.isEmpty { events.append(.entries(entries)) }
        if let pending { events.append(pending) }
        pending = nil
        last = now
    }

    /// The part of non-durable changes that a power loss leaves.
    enum Mercy: CaseIterable {
        case nothing, everything, some
    }

    /// One possible content of the disk after a power loss behind `count` events.
    func disk(after count: Int, _ mercy: Mercy, _ random: inout Seeded) -> Disk {
        let past = events[..<count]
        var disk = start
        for (id, inode) in inodes where disk.inodes[id] == nil {
            disk.inodes[id] = inode
            disk.inodes[id]?.entries = [:]
            disk.inodes[id]?.content = []
        }
        func survives() -> Bool {
            switch mercy {
            case .nothing: false
            case .everything: true
            case .some: random.bool()
            }
        }
        for (index, event) in past.enumerated() {
            /// Whether something after this event made it durable.
            func isDurable(_ ids: [UInt64]) -> Bool {
                past[(index + 1)...].contains { later in
                    switch later {
                    case .sync(let id): ids.contains(id)
                    case .syncAll: true
                    default: false
                    }
                }
            }
            switch event {
            case .entries(let entries):
                guard isDurable(entries.map(\.directory)) || survives() else { continue }
                for entry in entries { disk.inodes[entry.directory]?.entries[entry.name] = entry.inode }
            case .content(let id, let content):
                if isDurable([id]) || survives() {
                    disk.inodes[id]?.content = content
                } else if random.bool() {
                    disk.inodes[id]?.content = Array(content.prefix(content.count / 2))
                }
            case .attributes(let id, let attributes):
                if isDurable([id]) || survives() { disk.inodes[id]?.attributes = attributes }
            case .sync, .syncAll: break
            }
        }
        return disk
    }
}
