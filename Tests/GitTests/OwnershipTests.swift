import Foundation
import Git
import Testing

private let isRoot = geteuid() == 0

/// A change of one thing in a store, or above it, that gives another user a hand in it.
private struct Tampering: CustomTestStringConvertible {
    enum How: CaseIterable {
        case givenAway, writableByAnybody, writableByGroup, symlink
    }

    /// Below the workshop.
    var what: String
    var how: How
    var testDescription: String { "\(what) \(how)" }

    static let all =
        ["", "yard", "yard/store"].flatMap { what in How.allCases.map { Tampering(what: what, how: $0) } }
        .filter { $0.how != .symlink }
        + [
            "HEAD", "config", "objects", "refs", "packed-refs", "objects/pack", "objects/info", "refs/heads", "refs/remotes", "history",
            "marks", "logs",
        ]
        .flatMap { what in How.allCases.map { Tampering(what: "yard/store/\(what)", how: $0) } }

    func carryOut(_ path: String) throws {
        switch how {
        case .givenAway: try #require(chown(path, 4711, 4711) == 0)
        case .writableByAnybody: try #require(chmod(path, 0o777) == 0)
        case .writableByGroup:
            try #require(chown(path, 0, 4711) == 0)
            try #require(chmod(path, 0o775) == 0)
        case .symlink:
            try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path + ".moved")
        }
    }

    var exposure: Exposure {
        switch how {
        case .givenAway: .owner(uid: 4711)
        case .writableByAnybody, .writableByGroup: .writable
        case .symlink: .symlink
        }
    }
}

@Suite struct OwnershipTests {
    /// A store in a directory of its own, open to readers.
    private func yard() throws -> Workshop {
        let workshop = try Workshop()
        try workshop.run("mkdir -m 755 \(workshop.path)/yard && chmod 755 \(workshop.path)")
        let store = try Store.create(at: workshop.path + "/yard/store")
        try store.note([])
        try workshop.run(
            """
            cd \(workshop.path)/yard/store
            mkdir -p refs/remotes logs objects/info objects/pack
            touch packed-refs marks
            chmod -R go+rX .
            """)
        return workshop
    }

    @Test(.enabled(if: isRoot, "only root gives files away"), arguments: Tampering.all)
    private func `a store that another user could change is not opened`(_ tampering: Tampering) throws {
        let workshop = try yard()
        let path = workshop.path + "/yard/store"
        _ = try Store.open(at: path)
        let place = tampering.what.isEmpty ? workshop.path : "\(workshop.path)/\(tampering.what)"
        try tampering.carryOut(place)
        #expect(throws: StoreError.exposed(path: place, tampering.exposure)) { try Store.open(at: path) }
    }

    @Test func `a store in a shared directory is accepted if others cannot replace it`() throws {
        let workshop = try yard()
        try workshop.run("chmod 1777 \(workshop.path)/yard")
        _ = try Store.open(at: workshop.path + "/yard/store")
        // Below a directory that others cannot enter, any mode is safe.
        try workshop.run("cd \(workshop.path)/yard/store && chmod 700 . && chmod 777 refs objects && chmod 666 HEAD config")
        _ = try Store.open(at: workshop.path + "/yard/store")
    }

    @Test func `no store is made where others could replace it`() throws {
        let workshop = try Workshop()
        try workshop.run("mkdir -m 777 \(workshop.path)/open && mkdir -m 700 \(workshop.path)/open/inner")
        for place in ["open/store", "open/inner/store"] {
            #expect(throws: StoreError.exposed(path: workshop.path + "/open", .writable)) {
                try Store.create(at: "\(workshop.path)/\(place)")
            }
            #expect(!FileManager.default.fileExists(atPath: "\(workshop.path)/\(place)"))
        }
    }

    @Test(.enabled(if: isRoot, "only root gives files away"))
    func `the search ends at another user's directory`() throws {
        let workshop = try Workshop()
        _ = try Store.create(at: workshop.path + "/.deptool")
        try workshop.run("mkdir -p \(workshop.path)/theirs/mine && chown 4711 \(workshop.path)/theirs")
        let start = workshop.path + "/theirs/mine"
        #expect(throws: StoreError.notFound(from: start, before: .othersDirectory(workshop.path + "/theirs", uid: 4711))) {
            try Store.find(from: start)
        }
        #expect(try Store.find(from: workshop.path).path == workshop.path + "/.deptool")
    }

    @Test func `the search ends at another file system`() throws {
        guard let shared = try? Workshop(in: "/dev/shm") else { return }
        #expect(throws: StoreError.notFound(from: shared.path, before: .otherFileSystem("/dev"))) { try Store.find(from: shared.path) }
    }

    @Test func `a symlink is not followed to a store`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        try FileManager.default.createSymbolicLink(atPath: workshop.cluster + "/.deptool", withDestinationPath: store.path)
        let error = StoreError.exposed(path: workshop.cluster + "/.deptool", .symlink)
        #expect(throws: error) { try Store.find(from: workshop.cluster) }
        #expect(throws: error) { try Store.present(at: workshop.cluster + "/.deptool") }
    }

    @Test(arguments: [
        ["config", "extensions.objectformat", "sha256"], ["config", "extensions.refstorage", "reftable"],
        ["config", "extensions.somethingNew", "true"], ["config", "core.repositoryformatversion", "2"],
    ])
    func `a repository of an unknown format is left alone`(setting: [String]) throws {
        let workshop = try Workshop()
        try workshop.git("init", "-q", "--bare", workshop.storePath)
        try workshop.git(["-C", workshop.storePath] + setting)
        let before = try workshop.run("cd \(workshop.storePath) && find . -type f | sort | xargs sha256sum; find .")
        #expect(throws: StoreError.unusableFormat(path: workshop.storePath, "\(setting[1].lowercased()) = \(setting[2])")) {
            try Store.open(at: workshop.storePath)
        }
        #expect(try workshop.run("cd \(workshop.storePath) && find . -type f | sort | xargs sha256sum; find .") == before)
    }

    @Test func `a repository with SHA-256 ids is left alone`() throws {
        let workshop = try Workshop()
        try workshop.git("init", "-q", "--bare", "--object-format=sha256", workshop.storePath)
        #expect(throws: StoreError.unusableFormat(path: workshop.storePath, "extensions.objectformat = sha256")) {
            try Store.open(at: workshop.storePath)
        }
    }

    @Test func `a repository with a work tree is not a store`() throws {
        let workshop = try Workshop()
        try workshop.git("init", "-q", workshop.cluster)
        #expect(throws: StoreError.notAStore(path: workshop.cluster + "/.git")) { try Store.open(at: workshop.cluster + "/.git") }
    }
}

@Suite struct KnownStoresTests {
    private func known(_ workshop: Workshop) -> KnownStores { KnownStores(in: workshop.path + "/state/deptool/stores") }

    @Test func `an added store is known, also after a move`() throws {
        let workshop = try Workshop()
        let (known, store) = (known(workshop), try workshop.store())
        #expect(try !known.contains(store.place))
        try known.add(store.place)
        #expect(try known.contains(store.place))
        try workshop.run("mv \(store.path) \(workshop.path)/elsewhere")
        #expect(try known.contains(try StorePath(workshop.path + "/elsewhere")))
        // It is unknown to another account, and adding it there does not remove it here.
        let others = KnownStores(in: workshop.path + "/other/stores")
        let moved = try StorePath(workshop.path + "/elsewhere")
        #expect(try !others.contains(moved))
        try others.add(moved)
        #expect(try others.contains(moved) && known.contains(moved))
    }

    @Test func `another store in the same place is unknown`() throws {
        let workshop = try Workshop()
        let (known, store) = (known(workshop), try workshop.store())
        try known.add(store.place)
        try known.allow("true", for: "k", of: "/d", in: store.place)
        for marks in ["", "../../..\n.\n\(String(repeating: "0", count: 32))\n", String(repeating: "a", count: 1 << 17)] {
            try workshop.run("rm -rf \(store.path)")
            _ = try workshop.store()
            try marks.write(toFile: store.path + "/marks", atomically: false, encoding: .utf8)
            #expect(try !known.contains(try StorePath(store.path)))
            #expect(try !known.allows("true", for: "k", of: "/d", in: try StorePath(store.path)))
        }
        try workshop.run("rm -rf \(store.path)")
        let new = try workshop.store()
        try known.add(new.place)
        #expect(try !known.allows("true", for: "k", of: "/d", in: new.place))
        // No entries pile up.
        #expect(try FileManager.default.contentsOfDirectory(atPath: workshop.path + "/state/deptool/stores").count == 1)
    }

    @Test func `a command is allowed for one setting and one directory`() throws {
        let workshop = try Workshop()
        let (known, store) = (known(workshop), try workshop.store())
        try known.add(store.place)
        try known.allow("make prod", for: "deptool.prod.render", of: "/srv/prod", in: store.place)
        #expect(try known.allows("make prod", for: "deptool.prod.render", of: "/srv/prod", in: store.place))
        for (command, key, directory) in [
            ("make prod ", "deptool.prod.render", "/srv/prod"), ("make", "deptool.prod.render", "/srv/prod"),
            ("", "deptool.prod.render", "/srv/prod"),
            ("make prod", "deptool.prod.confirm", "/srv/prod"), ("make prod", "deptool.prod.render", "/tmp/prod"),
        ] {
            #expect(try !known.allows(command, for: key, of: directory, in: store.place))
        }
        try known.allow("make", for: "deptool.prod.render", of: "/srv/prod", in: store.place)
        #expect(try !known.allows("make prod", for: "deptool.prod.render", of: "/srv/prod", in: store.place))
    }

    @Test(.enabled(if: isRoot, "only root gives files away"))
    func `a file that others can write is not trusted`() throws {
        let workshop = try Workshop()
        let (known, store) = (known(workshop), try workshop.store())
        try known.add(store.place)
        for place in ["state", "state/deptool", "state/deptool/stores"].map({ workshop.path + "/" + $0 }) {
            try workshop.run("chmod 777 \(place)")
            #expect(throws: StoreError.exposed(path: place, .writable)) { try known.contains(store.place) }
            try workshop.run("chmod 700 \(place) && chown 4711 \(place)")
            #expect(throws: StoreError.exposed(path: place, .owner(uid: 4711))) { try known.contains(store.place) }
            try workshop.run("chown 0 \(place)")
        }
        #expect(try known.contains(store.place))
    }
}
