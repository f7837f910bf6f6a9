import Foundation
import Git
import Model
import Testing

@Suite struct TreeCacheTests {
    @Test func `a damaged cache is ignored`() throws {
        let workshop = try Workshop()
        for file in ["web1/app/file", "web1/app/deep/run", "web1/other/file", "web2/app/file", "web2/host.json"] {
            try workshop.write(file, file)
        }
        try workshop.directory("web3/empty")
        workshop.settle()
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        let file = try workshop.cacheFile()
        let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        func check(_ bytes: [UInt8], _ what: String) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            #expect(try store.importCluster(at: workshop.cluster) == tree, "\(what)")
            #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: file))) == good, "\(what)")
        }
        for position in good.indices {
            var bad = good
            bad[position] ^= 1 << UInt8(position % 8)
            try check(bad, "byte \(position) of \(good.count)")
        }
        for length in stride(from: 0, to: good.count, by: 7) { try check(Array(good[..<length]), "first \(length) bytes") }
        try check(good + [0], "a byte too many")
        try check([UInt8](repeating: 0xff, count: 5000), "all ones")
    }

    @Test func `a cache of missing objects is not trusted`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        workshop.settle()
        let tree = try workshop.store().importCluster(at: workshop.cluster)
        let cache = try Data(contentsOf: URL(fileURLWithPath: try workshop.cacheFile()))
        let name = try workshop.cacheFile()
        try FileManager.default.removeItem(atPath: workshop.storePath)
        let store = try workshop.store()
        try FileManager.default.createDirectory(atPath: workshop.storePath + "/tree-cache", withIntermediateDirectories: true)
        try cache.write(to: URL(fileURLWithPath: name))
        #expect(try store.importCluster(at: workshop.cluster) == tree)
        try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full")
        #expect(try workshop.git("-C", workshop.storePath, "rev-list", "--objects", "--all", tree.hex).contains(tree.hex))
    }

    @Test func `objects removed by git gc are written again`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        workshop.settle()
        let tree = try workshop.store().importCluster(at: workshop.cluster)
        try workshop.git("-C", workshop.storePath, "gc", "-q", "--prune=now")
        #expect(!(try workshop.store().contains(tree)))
        #expect(try workshop.store().importCluster(at: workshop.cluster) == tree)
        #expect(try workshop.git("-C", workshop.storePath, "rev-list", "--objects", tree.hex).contains(tree.hex))
    }

    @Test func `a large file is read once, right after its last change, and its next change is seen`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        for round in 0..<20 {
            let bytes = [UInt8](repeating: UInt8(round), count: 1 << 20)
            try workshop.write("web1/app/large", bytes)
            let tree = try store.importCluster(at: workshop.cluster)
            let id = ObjectID.of(.blob, bytes)
            let object = "\(store.path)/objects/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
            #expect(FileManager.default.fileExists(atPath: object))
            try FileManager.default.removeItem(atPath: object)
            #expect(try store.importCluster(at: workshop.cluster) == tree)
            #expect(!FileManager.default.fileExists(atPath: object))
        }
    }

    @Test func `a large file is read again as long as somebody has it open for writing`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        try workshop.write("web1/app/large", bytes)
        workshop.settle()
        let id = ObjectID.of(.blob, bytes)
        let object = "\(store.path)/objects/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
        let writer = try #require(FileHandle(forUpdatingAtPath: workshop.cluster + "/web1/app/large"))
        for isOpen in [true, true, false, false] {
            if !isOpen { try writer.close() }
            try? FileManager.default.removeItem(atPath: object)
            _ = try store.importCluster(at: workshop.cluster)
        }
        // Once more after it was closed, and not again.
        #expect(!FileManager.default.fileExists(atPath: object))
        let again = try #require(FileHandle(forUpdatingAtPath: workshop.cluster + "/web1/app/large"))
        try again.write(contentsOf: [8])
        for _ in 0..<2 {
            let id = ObjectID.of(.blob, [8] + bytes.dropFirst())
            let object = "\(store.path)/objects/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
            _ = try store.importCluster(at: workshop.cluster)
            #expect(FileManager.default.fileExists(atPath: object))
            try FileManager.default.removeItem(atPath: object)
        }
        try again.close()
    }

    @Test func `a cache that cannot be written does no harm`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        try "in the way".write(toFile: workshop.storePath + "/tree-cache", atomically: false, encoding: .utf8)
        for _ in 0..<2 { #expect(try store.importCluster(at: workshop.cluster).hex == workshop.expectedTree()) }
    }
}
