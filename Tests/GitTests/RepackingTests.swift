import Foundation
import Git
import Model
import Testing

/// A store that many deploys have left their objects in.
@Suite struct RepackingTests {
    /// Deploys so often, each time with that many new files.
    @discardableResult
    private func importing(_ numbers: ClosedRange<Int>, files: Int, of size: Int = 0, _ workshop: Workshop) throws -> Store {
        let store = try workshop.store(), padding = String(repeating: ".", count: size)
        for number in numbers {
            for file in 1...files { try workshop.write("web1/app/\(file)", "\(number) \(file)\n\(padding)") }
            let commit = try store.commit(
                tree: try store.importCluster(at: workshop.cluster), parent: try store.lastCommit(),
                author: Author(name: "Ada", email: "ada@example.com"), message: "Deploy", time: 1_700_000_000)
            try store.setLastCommit(commit, reason: "deploy")
        }
        return store
    }

    private func files(_ store: Store, _ pattern: String, _ workshop: Workshop) throws -> Int {
        Int(try workshop.run("find \(store.path)/objects \(pattern) | wc -l")) ?? -1
    }

    @Test func `many packs become one, and nothing is lost`() throws {
        let workshop = try Workshop()
        let store = try importing(1...60, files: 70, workshop)
        #expect(try files(store, "-name '*.pack'", workshop) == 60)
        let objects = try workshop.git("-C", store.path, "rev-list", "--objects", "--all")
        // One that is open all the while.
        let other = try Store.open(at: store.path)
        let first = try #require(ObjectID(hex: try workshop.git("-C", store.path, "rev-list", "--max-parents=0", "main")))
        _ = try other.commitInfo(first)

        try store.repack()

        #expect(try files(store, "-name '*.pack' -o -name '*.idx' -o -name 'tmp*'", workshop) == 2)
        #expect(try workshop.git("-C", store.path, "rev-list", "--objects", "--all") == objects)
        try workshop.git("-C", store.path, "fsck", "--strict")
        for store in [store, other] { #expect(try store.tree(try store.commitInfo(first).tree).count == 1) }
        // Objects in the store are not written again.
        try workshop.write("web1/app/1", "1 1\n")
        let before = try files(store, "-type f -path '*/??/*'", workshop)
        _ = try store.importCluster(at: workshop.cluster)
        #expect(try files(store, "-type f -path '*/??/*'", workshop) - before == 3)
    }

    @Test func `a few packs, and one with a .keep, stay`() throws {
        let workshop = try Workshop()
        let store = try importing(1...52, files: 70, workshop)
        try workshop.run("cd \(store.path)/objects/pack && for pack in $(ls *.pack | head -2); do touch ${pack%.pack}.keep; done")
        try store.repack()
        #expect(try files(store, "-name '*.pack'", workshop) == 52)
        try importing(53...53, files: 70, workshop)
        try store.repack()
        #expect(try files(store, "-name '*.pack'", workshop) == 3)
        try workshop.git("-C", store.path, "fsck", "--strict")
    }

    @Test func `no pack outgrows its index`() throws {
        let workshop = try Workshop()
        let store = try importing(1...52, files: 70, of: 30_000, workshop)
        let objects = try workshop.git("-C", store.path, "rev-list", "--objects", "--all")
        try store.repack()
        #expect(try files(store, "-name '*.pack'", workshop) == 2)
        #expect(try files(store, "-name '*.pack' -size -64M", workshop) == 1)
        #expect(try files(store, "-name '*.pack' -size +65M", workshop) == 0)
        #expect(try workshop.git("-C", store.path, "rev-list", "--objects", "--all") == objects)
        try workshop.git("-C", store.path, "fsck", "--strict")
    }

    @Test func `many loose objects become a pack, and large files stay loose`() throws {
        let workshop = try Workshop()
        try workshop.write("web1/large/file", [UInt8](repeating: 7, count: 2 << 20))
        let store = try importing(1...120, files: 50, workshop)
        let objects = try workshop.git("-C", store.path, "rev-list", "--objects", "--all")
        #expect(try files(store, "-name '*.pack'", workshop) == 0)
        try store.repack()
        #expect(try files(store, "-name '*.pack'", workshop) == 1)
        #expect(try files(store, "-type f", workshop) == 3)
        #expect(try workshop.git("-C", store.path, "rev-list", "--objects", "--all") == objects)
        try workshop.git("-C", store.path, "fsck", "--strict")
    }

    @Test func `an object that cannot be copied leaves no partial pack`() throws {
        let workshop = try Workshop()
        let store = try importing(1...52, files: 70, of: 30_000, workshop)
        try workshop.run("cd \(store.path)/objects/pack && chmod u+w *.pack && truncate -s -1000 $(ls *.pack | tail -1)")
        #expect(throws: StoreError.self) { try Store.open(at: store.path).repack() }
        #expect(try files(store, "-name '*.pack' -o -name 'tmp*'", workshop) == 52)
    }

    @Test func `a damaged index is an error, and nothing is deleted`() throws {
        let workshop = try Workshop()
        let store = try importing(1...51, files: 70, workshop)
        try workshop.run("cd \(store.path)/objects/pack && chmod u+w *.idx && truncate -s 1000 $(ls *.idx | tail -1)")
        #expect(throws: StoreError.self) { try store.repack() }
        #expect(try files(store, "-name '*.pack'", workshop) == 51)
    }
}
