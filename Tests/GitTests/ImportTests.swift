import Foundation
import Git
import Model
import TestSupport
import Testing

@Suite struct ImportTests {
    @Test func `an import gives the same tree as Git`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        #expect(try store.importCluster(at: workshop.cluster).hex == workshop.expectedTree())
        try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full")
    }

    @Test func `a second import gives the same tree and writes nothing`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let first = try workshop.store().importCluster(at: workshop.cluster)
        workshop.settle()
        let objects = try workshop.objectFiles()
        for _ in 0..<3 {
            #expect(try workshop.store().importCluster(at: workshop.cluster) == first)
            #expect(try workshop.objectFiles() == objects)
        }
    }

    @Test func `the cache is left alone when nothing changed`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        workshop.settle()
        let store = try workshop.store()
        _ = try store.importCluster(at: workshop.cluster)
        let file = try workshop.cacheFile()
        let before = try FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber] as? Int
        _ = try store.importCluster(at: workshop.cluster)
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber] as? Int == before)
    }

    @Test func `random edits are all noticed`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = Seeded(seed)
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        let files = [
            "web1/nginx/manifest.json", "web1/nginx/systemd/nginx.service", "web1/host.json", "web1/nginx/new",
            "web1/nginx/deep/er/new", "web1.example.com/unbound/unbound.conf", "web5/new/file", "web1/notes",
        ]
        for round in 0..<60 {
            let file = files.randomElement(using: &random) ?? files[0]
            switch Int.random(in: 0..<5, using: &random) {
            case 0: try? workshop.remove(file)
            case 1:
                let isThere = FileManager.default.fileExists(atPath: workshop.cluster + "/" + file)
                if isThere { chmod(workshop.cluster + "/" + file, Bool.random(using: &random) ? 0o755 : 0o644) }
            default: try workshop.write(file, "\(UInt8.random(in: 100...199, using: &random))\n")
            }
            if Bool.random(using: &random) { workshop.settle() }
            #expect(
                try store.importCluster(at: workshop.cluster).hex == workshop.expectedTree(),
                "seed \(seed), round \(round), \(file)")
        }
    }

    @Test func `an edit of the same size right after an import is noticed`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        var seen: Set<ObjectID> = []
        // In place, without a pause: many of these leave the times as they were.
        for round in 100..<160 {
            try workshop.write("web1/app/file", "\(round)")
            #expect(seen.insert(try store.importCluster(at: workshop.cluster)).inserted, "round \(round)")
        }
    }

    @Test func `an edit that sets mtime back is noticed`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        try workshop.write("web1/app/file", "one")
        let full = workshop.cluster + "/web1/app/file"
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: full)
        workshop.settle()
        let first = try store.importCluster(at: workshop.cluster)
        workshop.settle()
        try workshop.write("web1/app/file", "two")
        try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: full)
        #expect(try store.importCluster(at: workshop.cluster) != first)
    }

    @Test func `mode, deletion and a file that becomes a directory are noticed`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        workshop.settle()
        let store = try workshop.store()
        var last = try store.importCluster(at: workshop.cluster)
        func step(_ edit: () throws -> Void) throws {
            try edit()
            workshop.settle()
            let now = try store.importCluster(at: workshop.cluster)
            #expect(now != last)
            #expect(now.hex == (try workshop.expectedTree()))
            last = now
        }
        try step { chmod(workshop.cluster + "/web1/nginx/manifest.json", 0o700) }
        try step { chmod(workshop.cluster + "/web1/nginx/manifest.json", 0o644) }
        try step { try workshop.remove("web1/nginx/systemd-x") }
        try step {
            try workshop.remove("web1/nginx/systemd.d")
            try workshop.write("web1/nginx/systemd.d/nested", "now a directory\n")
        }
        try step { try workshop.remove("web1/nginx/systemd.d") }
        try step { try workshop.remove("web1") }
    }

    @Test func `only the owner's execute bit counts`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        try workshop.write("web1/app/file", "x", mode: 0o645)
        let plain = try store.importCluster(at: workshop.cluster)
        try workshop.write("web1/app/file", "x", mode: 0o700)
        #expect(try store.importCluster(at: workshop.cluster) != plain)
    }

    @Test func `an import with many new files uses a pack that Git accepts`() throws {
        let workshop = try Workshop()
        for file in 0..<300 { try workshop.write("web1/app/\(file / 10)/file\(file)", String(repeating: "\(file)\n", count: file)) }
        let store = try workshop.store()
        let tree = try store.importCluster(at: workshop.cluster)
        #expect(tree.hex == (try workshop.expectedTree()))
        #expect(try workshop.objectFiles() == 2)
        try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full")
        let changes = try store.compareTrees(old: nil, new: tree)
        #expect(changes.count == 300)
        for change in changes {
            guard let file = change.new else { continue }
            let bytes = try store.blob(file.id, limit: 10_000)
            #expect(ObjectID.of(.blob, bytes) == file.id)
        }
    }

    @Test func `clusters that share a store do not disturb each other`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        let first = try store.importCluster(at: workshop.cluster)
        let other = workshop.path + "/other"
        try FileManager.default.copyItem(atPath: workshop.cluster + "/web1", toPath: other + "")
        #expect(throws: ImportError.badAppName(try host("nginx"), "grün")) { try store.importCluster(at: other) }
        #expect(try store.importCluster(at: workshop.cluster) == first)
    }

    @Test func `a cluster without hosts has the empty tree`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        let id = try store.importCluster(at: workshop.cluster)
        #expect(id.hex == "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
        #expect(try store.tree(id) == [])
    }

    @Test func `Git reads files of any size and content as they were`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        var random = Seeded()
        // So many that they become a pack.
        for number in 0..<70 { try workshop.write("web1/small/\(number)", random.bytes(number)) }
        // The edges of checksums, blocks, pieces read and the streaming limit.
        for (number, edge) in [1, 16, 5552, 65_535, 65_536, 1 << 20, 2 << 20].enumerated() {
            for content in 0..<3 {
                let size = max(0, edge + Int.random(in: -20...20, using: &random))
                let bytes: [UInt8]
                switch content {
                case 0: bytes = [UInt8](repeating: 255, count: size)
                case 1: bytes = [UInt8](repeating: 0, count: size)
                default: bytes = random.bytes(size)
                }
                try workshop.write("web1/app/\(number) \(content)", bytes)
            }
        }
        #expect(try store.importCluster(at: workshop.cluster).hex == workshop.expectedTree(), "seed \(random.seed)")
        #expect(throws: Never.self, "seed \(random.seed)") { try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full") }
    }

    @Test func `a file as large as the streaming limit is imported`() throws {
        let workshop = try Workshop()
        let store = try workshop.store()
        for size in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 65535, 65536, 0] {
            try workshop.write("web1/app/size\(size)", [UInt8](repeating: 1, count: size))
        }
        #expect(try store.importCluster(at: workshop.cluster).hex == workshop.expectedTree())
        try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full")
    }
}

@Suite struct ImportErrorTests {
    private func phrase(_ prepare: (Workshop) throws -> Void) throws -> String {
        let workshop = try Workshop()
        try workshop.write("web1/nginx/ok", "ok")
        try prepare(workshop)
        do {
            _ = try workshop.store().importCluster(at: workshop.cluster)
            return "imported"
        } catch let error as ImportError {
            #expect(!error.explanation.isEmpty)
            return error.phrase.replacingOccurrences(of: workshop.path, with: "PATH")
        }
    }

    @Test func `a FIFO, socket or device is named`() throws {
        #expect(
            try phrase {
                try $0.directory("web1/nginx/d")
                mkfifo($0.cluster + "/web1/nginx/d/pipe", 0o600)
            }
                == "web1/nginx/d/pipe is a FIFO")
        let socketPhrase = try phrase { workshop in
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: (workshop.cluster + "/web1/nginx/sock").utf8) }
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
            #expect(bound == 0)
        }
        #expect(socketPhrase == "web1/nginx/sock is a socket")
    }

    @Test func `a symlink in the place of a host is named, and others beside hosts and apps are left out`() throws {
        #expect(try phrase { try $0.link("web2", to: "web1") } == "web2 is a symlink to a directory")
        #expect(
            try phrase {
                try $0.link("README", to: "web1/nginx/ok")
                try $0.link("TODO", to: "nowhere")
                try $0.link("web1/notes", to: "nginx/ok")
                try $0.link("web1/hosts", to: "/etc/hosts")
            } == "imported")
    }

    @Test func `bad names are named`() throws {
        #expect(try phrase { try $0.write("web 2/app/x", "") } == "'web 2' is not the name of a host")
        #expect(try phrase { try $0.directory("-x") } == "'-x' is not the name of a host")
        #expect(try phrase { try $0.write("a..b/app/x", "") } == "'a..b' cannot be the name of a host")
        #expect(try phrase { try $0.write("a.lock/app/x", "") } == "'a.lock' cannot be the name of a host")
        #expect(try phrase { try $0.write("web1/my app/x", "") } == "web1: 'my app' is not the name of an app")
        #expect(try phrase { try $0.write("web1/deptool-left/x", "") } == "web1: 'deptool-left' is not the name of an app")
        #expect(
            try phrase { try $0.write("web1/nginx/a\nb", "") }
                == "web1/nginx/a\\x0ab cannot be deployed: it has a control character")
        #expect(
            try phrase { try $0.write("web1/nginx/d/.git/x", "") }
                == "web1/nginx/d/.git cannot be deployed: Git cannot store that name")
        #expect(
            try phrase { workshop in
                let name = Array((workshop.cluster + "/web1/nginx/caf").utf8CString.dropLast()) + [CChar(bitPattern: 0xe9), 0]
                close(open(name, O_CREAT | O_WRONLY, 0o644))
            } == "web1/nginx/caf\\xe9 cannot be deployed: its name is not UTF-8")
    }

    @Test(arguments: [
        ("web1/nginx/README", "web1/nginx/readme"), ("web1/nginx/d/Stra\u{df}e", "web1/nginx/d/STRASSE"),
        ("web1/nginx/caf\u{e9}", "web1/nginx/cafe\u{301}"), ("web1/nginx/D/x", "web1/nginx/d/y"), ("web1/Nginx/x", "web1/nginx/x"),
        ("WEB1/app/x", "web1/nginx/x"), ("web1/nginx/\u{c9}T\u{c9}", "web1/nginx/e\u{301}te\u{301}"),
    ])
    func `names that some file systems treat as the same are refused`(one: String, other: String) throws {
        for (first, second) in [(one, other), (other, one)] {
            let problem = try phrase {
                try $0.write(first, "")
                try $0.write(second, "")
            }
            #expect(problem.hasSuffix(" have names that differ only in case or encoding"), "\(problem)")
        }
        // The same name in two directories, and names that only look alike.
        #expect(
            try phrase {
                try $0.write("web1/nginx/A/x", "")
                try $0.write("web1/nginx/B/X", "")
                try $0.write("web1/nginx/\u{43e}", "")
                try $0.write("web1/nginx/o", "")
            } == "imported")
    }

    @Test func `files of macOS are left out`() throws {
        let workshop = try Workshop()
        try workshop.write("web1/nginx/nginx.conf", "")
        try workshop.write("web1/nginx/d/x", "")
        let store = try workshop.store()
        let clean = try store.importCluster(at: workshop.cluster)
        for place in [".DS_Store", "web1/.DS_Store", "web1/nginx/.DS_Store", "web1/nginx/d/.DS_Store"] { try workshop.write(place, "x") }
        workshop.settle()
        for isFirst in [true, false] {
            var warnings: [String] = []
            #expect(try store.importCluster(at: workshop.cluster) { warnings.append($0.phrase) } == clean)
            let expected = ["web1/nginx/.DS_Store is left out", "web1/nginx/d/.DS_Store is left out"]
            #expect(warnings == (isFirst ? expected : []))
        }
    }

    @Test func `a missing or wrong directory is named`() throws {
        #expect(try phrase { try FileManager.default.removeItem(atPath: $0.cluster) } == "there is no directory PATH/cluster")
        #expect(
            try phrase {
                try FileManager.default.removeItem(atPath: $0.cluster)
                try "x".write(toFile: $0.cluster, atomically: false, encoding: .utf8)
            } == "PATH/cluster is not a directory")
    }

    @Test func `an empty directory is reported, also the next time`() throws {
        let workshop = try Workshop()
        try workshop.write("web1/nginx/nginx.conf", "")
        try workshop.directory("web1/empty")
        try workshop.directory("web1/.hidden")
        try workshop.write("web2/host.json", "{}")
        try workshop.directory("web3")
        workshop.settle()
        let store = try workshop.store()
        for _ in 0..<2 {
            var warnings: [String] = []
            _ = try store.importCluster(at: workshop.cluster) { warnings.append($0.phrase) }
            #expect(
                warnings == [
                    "web1/empty has no files, so there is no such app", "web2 has no apps, so nothing would be deployed to it",
                    "web3 has no apps, so nothing would be deployed to it",
                ])
        }
    }

    @Test func `a directory in place of host.json is named`() throws {
        #expect(try phrase { try $0.write("web1/host.json/manifest.json", "{}") } == "web1/host.json is a directory")
    }

    @Test func `a tree that is too deep is named`() throws {
        let deep = String(repeating: "d/", count: 70)
        #expect(try phrase { try $0.write("web1/nginx/\(deep)x", "") }.hasSuffix(": File name too long"))
    }

    @Test func `a failed import spoils nothing`() throws {
        let workshop = try Workshop()
        try workshop.fill()
        let store = try workshop.store()
        let first = try store.importCluster(at: workshop.cluster)
        try workshop.write("web1/nginx/manifest.json", "[]\n")
        try workshop.link("web1-b/big/link", to: "nowhere")
        #expect(throws: ImportError.self) { try store.importCluster(at: workshop.cluster) }
        try workshop.remove("web1-b/big/link")
        let second = try store.importCluster(at: workshop.cluster)
        #expect(second != first)
        #expect(second.hex == (try workshop.expectedTree()))
        try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full")
        #expect(try FileManager.default.subpathsOfDirectory(atPath: workshop.storePath).allSatisfy { !$0.contains("tmp_") })
    }
}
