import Foundation
import Git
import Model
import TestSupport
import Testing

/// Symlinks of a config tree to what hosts share.
@Suite struct SharedFileTests {
    @Test func `a symlink is imported as its target`() throws {
        let workshop = try Workshop()
        try workshop.write("../shared/motd/text", "Welcome.\n")
        try workshop.write("../shared/motd/systemd/motd.service", "[Service]\n")
        try workshop.write("../shared/run", "#!/bin/sh\n", mode: 0o755)
        try workshop.write("../shared/host.json", "{}\n")
        try workshop.write("web1/site/systemd-x", "sorts between the symlink and the directory\n")
        try workshop.link("web1/motd", to: "../../shared/motd")
        try workshop.link("web1/site/systemd", to: "../../../shared/motd/systemd")
        try workshop.link("web1/site/run", to: ".././/../../shared/./run")
        try workshop.link("web1/site/chain", to: "run")
        try workshop.link("web1/host.json", to: "../../shared/host.json")
        try workshop.link("web2", to: "nowhere")
        try workshop.link("web1/notes", to: "../../shared/run")
        let same = try Workshop()
        for app in ["motd", "site"] { try same.write("web1/\(app)/systemd/motd.service", "[Service]\n") }
        try same.write("web1/motd/text", "Welcome.\n")
        try same.write("web1/site/systemd-x", "sorts between the symlink and the directory\n")
        try same.write("web1/site/run", "#!/bin/sh\n", mode: 0o755)
        try same.write("web1/site/chain", "#!/bin/sh\n", mode: 0o755)
        try same.write("web1/host.json", "{}\n")
        let store = try workshop.store()
        for _ in 0..<2 { #expect(try store.importCluster(at: workshop.cluster).hex == same.expectedTree()) }
        try workshop.git("-C", workshop.storePath, "fsck", "--strict", "--full")
    }

    @Test func `every host notices every edit of a shared file`() throws {
        let workshop = try Workshop()
        try workshop.write("../shared/nginx/conf.d/a", "one")
        try workshop.write("../shared/b", "one")
        for host in 1...5 {
            try workshop.link("web\(host)/nginx", to: "../../shared/nginx", in: "web\(host)")
            try workshop.link("web\(host)/app/b", to: "../../../shared/b", in: "web\(host)/app")
        }
        let store = try workshop.store()
        for round in 10..<40 {
            if round % 3 == 0 { workshop.settle() }
            if round % 7 == 0 { chmod(workshop.path + "/shared/b", round % 2 == 0 ? 0o755 : 0o644) }
            try workshop.write("../shared/\(round % 2 == 0 ? "b" : "nginx/conf.d/a")", "\(round)")
            let same = try Workshop()
            try workshop.run("cp -RLp \(workshop.cluster)/. \(same.cluster)/")
            #expect(try store.importCluster(at: workshop.cluster).hex == same.expectedTree(), "round \(round)")
        }
        // The same names and contents elsewhere are no change, other contents are.
        try workshop.run("cp -R \(workshop.path)/shared \(workshop.path)/other")
        try workshop.write("../other/nginx/conf.d/a", "elsewhere")
        try workshop.remove("web3/nginx")
        try workshop.link("web3/nginx", to: "../../other/nginx")
        let same = try Workshop()
        try workshop.run("cp -RLp \(workshop.cluster)/. \(same.cluster)/")
        #expect(try store.importCluster(at: workshop.cluster).hex == same.expectedTree())
    }

    @Test func `a shared file is written once`() throws {
        let workshop = try Workshop()
        for file in 0..<10 { try workshop.write("../shared/app/\(file)", "\(file)") }
        for host in 0..<50 { try workshop.link("web\(host)/app", to: "../../shared/app", in: "web\(host)") }
        let tree = try workshop.store().importCluster(at: workshop.cluster)
        #expect(try workshop.store().tree(tree).count == 50)
        #expect(Set(try workshop.store().tree(tree).map(\.id)).count == 1)
    }

    @Test func `random symlinks import as copies would, or are refused`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = Seeded(seed)
        var imported = 0
        var refused: Set<String> = []
        for round in 0..<50 {
            let repository = try RandomRepository(&random)
            let context: Comment = "seed \(seed), round \(round): \(repository.links)"
            let copy = try Workshop()
            let problem = repository.materialize(into: copy)
            let store = try repository.workshop.store()
            for _ in 0..<2 {
                do {
                    let tree = try store.importCluster(at: repository.workshop.cluster)
                    #expect(problem == nil, context)
                    if problem == nil { #expect(tree.hex == (try copy.expectedTree()), context) }
                    imported += 1
                } catch let error as ImportError {
                    #expect(problem != nil, "\(error.phrase), \(context)")
                    #expect(!error.explanation.isEmpty)
                    refused.insert(String(error.phrase.split(separator: " ").suffix(2).joined(separator: " ")))
                }
            }
            for secret in RandomRepository.secrets {
                #expect(!store.contains(.of(.blob, Array(secret.utf8))), "\(secret), \(context)")
            }
        }
        // The generator makes both.
        #expect(imported > 5 && refused.count > 2, "\(imported), \(refused)")
    }

    private func phrase(_ prepare: (Workshop) throws -> Void) throws -> String {
        let workshop = try Workshop()
        try workshop.write("web1/nginx/ok", "ok")
        try prepare(workshop)
        do {
            _ = try workshop.store().importCluster(at: workshop.cluster)
            return "imported"
        } catch let error as ImportError {
            return error.phrase.replacingOccurrences(of: workshop.path, with: "PATH")
        }
    }

    @Test func `symlinks that are not followed are named`() throws {
        #expect(
            try phrase { try $0.link("web1/nginx/d/x", to: "../../../../../etc/passwd", in: "web1/nginx/d") }
                == "web1/nginx/d/x is a symlink that leads out of PATH")
        #expect(
            try phrase { try $0.link("web1/nginx/x", to: "/etc/passwd") } == "web1/nginx/x is a symlink that leads out of PATH")
        #expect(try phrase { try $0.link("web1/etc", to: "/etc") } == "web1/etc is a symlink that leads out of PATH")
        #expect(try phrase { try $0.link("web1/motd", to: "../../shared/motd") } == "web1/motd is a symlink that leads to nothing")
        #expect(try phrase { try $0.link("web1/host.json", to: "none") } == "web1/host.json is a symlink that leads to nothing")
        #expect(
            try phrase {
                try $0.link("web1/nginx/a", to: "b")
                try $0.link("web1/nginx/b", to: "a")
            } == "web1/nginx/a is a symlink that leads in a circle")
        for parent in [".", "..", "../..", "../../..", "../nginx", "../../web1/./nginx"] {
            #expect(try phrase { try $0.link("web1/nginx/x", to: parent) } == "web1/nginx/x is a symlink that leads in a circle")
        }
        #expect(try phrase { try $0.link("web1/x", to: "../../store") } == "web1/x is a symlink that leads to the store")
        #expect(
            try phrase { try $0.link("web1/nginx/x", to: "../../../store/HEAD") }
                == "web1/nginx/x is a symlink that leads to the store")
        #expect(
            try phrase { workshop in
                try workshop.write("../.git/config", "token")
                try workshop.link("web1/nginx/x", to: "../../../.git/config")
            } == "web1/nginx/x is a symlink that leads into .git")
        // Also after a symlink that leads to what remains of its path.
        #expect(
            try phrase { workshop in
                try workshop.write("../shared/x", "")
                try workshop.link("web1/nginx/a", to: "../../../shared/x")
                try workshop.link("web1/nginx/b", to: "../../../../shared/x")
            } == "web1/nginx/b is a symlink that leads out of PATH")
        #expect(
            try phrase { workshop in
                try workshop.write("../shared/x", "")
                try workshop.link("web1/nginx/x", to: "../../../shared/x/")
            } == "web1/nginx/x is a symlink that leads to nothing")
    }

    @Test func `a shared plain file does not count as sealed`() throws {
        for isDirectory in [false, true] {
            let problem = try phrase { workshop in
                try workshop.write("../shared/token.age", "plain")
                if isDirectory {
                    try workshop.link("web1/a", to: "../../shared")
                    try workshop.link("web1/b/secrets", to: "../../../shared", in: "web1/b")
                } else {
                    try workshop.link("web1/a/token.age", to: "../../../shared/token.age", in: "web1/a")
                    try workshop.link("web1/b/secrets/token.age", to: "../../../../shared/token.age", in: "web1/b/secrets")
                }
            }
            #expect(problem == "web1/b/secrets/token.age is not a sealed file")
        }
    }

    @Test func `chains of symlinks have a limit`() throws {
        // Each directory has ten symlinks to the next: ten billion files.
        let many = try phrase { workshop in
            try workshop.write("../shared/10/file", "")
            for level in 0..<10 {
                for link in 0..<10 { try workshop.link("../shared/\(level)/\(link)", to: "../\(level + 1)", in: "../shared/\(level)") }
            }
            try workshop.link("web1/app", to: "../../shared/0")
        }
        #expect(many.hasSuffix("is a symlink that leads to too many files"), "\(many)")
        let deep = try phrase { workshop in
            for level in 0..<200 { try workshop.link("../shared/\(level)/next", to: "../\(level + 1)", in: "../shared/\(level)") }
            try workshop.write("../shared/200/file", "")
            try workshop.link("web1/app", to: "../../shared/0")
        }
        #expect(deep.hasSuffix("is a symlink that leads to directories that are too deep"), "\(deep)")
    }

    @Test func `the repository is the work tree or the cluster's parent, never the home`() throws {
        let workshop = try Workshop()
        func place(_ directory: String, home: String = "/root") -> [String] {
            let place = RepositoryPlace(of: workshop.path + directory, home: home)
            return [place.root.replacingOccurrences(of: workshop.path, with: ""), place.cluster]
        }
        try workshop.directory("a/b")
        #expect(place("/cluster") == ["", "cluster"])
        #expect(place("/cluster/a/b") == ["/cluster/a", "b"])
        try workshop.write("../.git", "gitdir: elsewhere\n")
        #expect(place("/cluster/a/b") == ["", "cluster/a/b"])
        for home in ["", "/cluster", "/cluster/a"] { #expect(place("/cluster/a/b", home: workshop.path + home) == ["/cluster/a/b", ""]) }
        #expect(place("/cluster/a/b", home: workshop.path + "/cluster/a/b/none") == ["", "cluster/a/b"])
        try workshop.write("a/.git/HEAD", "")
        #expect(place("/cluster/a/b") == ["/cluster/a", "b"])
        #expect(RepositoryPlace(of: "/prod", home: nil) == RepositoryPlace(of: "/prod", home: "/root"))
        #expect(RepositoryPlace(of: "/prod", home: nil).root == "/prod")
    }
}

extension Workshop {
    /// Makes the directory first.
    func link(_ name: String, to target: String, in directory: String) throws {
        try self.directory(directory)
        try link(name, to: target)
    }
}

/// A repository with a config tree, shared directories, and symlinks from anywhere to anywhere.
private final class RandomRepository {
    let workshop: Workshop
    private(set) var links: [String] = []
    static let secrets = ["the secret of the home", "the secret of Git"]

    init(_ random: inout Seeded) throws {
        workshop = try Workshop()
        _ = try workshop.store()
        try "the secret of the home".write(toFile: workshop.path + ".outside", atomically: false, encoding: .utf8)
        try workshop.write("../.git/config", "the secret of Git")
        try workshop.write("../store/plain", "the secret of Git")
        let directories = [
            "cluster/web1/a", "cluster/web1/a/d", "cluster/web2/b", "cluster/web2", "shared", "shared/x", "shared/x/y", "shared/z",
        ]
        for (index, directory) in directories.enumerated() where directory != "cluster/web2" {
            try workshop.write("../\(directory)/file", "\(index)", mode: Bool.random(using: &random) ? 0o755 : 0o640)
        }
        if Int.random(in: 0..<6, using: &random) < 4 { mkfifo(workshop.path + "/shared/z/pipe", 0o600) }
        let targets =
            directories + directories.map { $0 + "/file" } + [
                "store", "store/plain", ".git", ".git/config", "shared/z/pipe", "shared/z/pipe", "", "cluster", "cluster/web1",
            ]
        for number in 0..<Int.random(in: 1...5, using: &random) {
            let directory = directories.randomElement(using: &random) ?? ""
            var target =
                String(repeating: "../", count: directory.split(separator: "/").count) + (targets.randomElement(using: &random) ?? "")
            switch Int.random(in: 0..<14, using: &random) {
            case 0: target = "../" + target
            case 1: target = workshop.path + "/shared/x"
            case 2: target += "/none"
            case 3: target = "link\(Int.random(in: 0..<5, using: &random))"
            case 4:
                target =
                    String(repeating: "../", count: directory.split(separator: "/").count + 1)
                    + (workshop.path as NSString).lastPathComponent + ".outside"
            case 5...8:
                target =
                    String(repeating: "../", count: directory.split(separator: "/").count)
                    + "shared/z/link\(Int.random(in: 0..<5, using: &random))"
            default: break
            }
            if target.isEmpty { target = "." }
            try? workshop.link("../\(directory)/link\(number)", to: target)
            links.append("\(directory)/link\(number) -> \(target)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: workshop.path + ".outside") }

    /// The error of the symlinks.
    private enum Problem: Error {
        case leaves, other
    }

    /// Copies the tree with the targets of symlinks; the problem if that is not possible.
    func materialize(into copy: Workshop) -> (any Error)? {
        do {
            for host in ["web1", "web2"] {
                let from = "cluster/" + host
                try copy.directory(host)
                for name in try names(from) {
                    let to = copy.cluster + "/\(host)/\(name)"
                    if type("\(from)/\(name)") == .typeSymbolicLink {
                        do {
                            let target = try resolve(from, name, [from])
                            if type(target) == .typeDirectory { try self.copy(target, to, [from, target]) }
                        } catch Problem.leaves {
                            var isDirectory: ObjCBool = false
                            if FileManager.default.fileExists(atPath: workshop.path + "/\(from)/\(name)", isDirectory: &isDirectory),
                                isDirectory.boolValue
                            {
                                throw Problem.leaves
                            }
                        }
                    } else {
                        try self.copy("\(from)/\(name)", to, [from, "\(from)/\(name)"])
                    }
                }
            }
            return nil
        } catch {
            return error
        }
    }

    private func names(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: workshop.path + "/" + path).sorted()
    }

    private func type(_ path: String) -> FileAttributeType? {
        try? FileManager.default.attributesOfItem(atPath: workshop.path + "/" + path)[.type] as? FileAttributeType
    }

    /// `way` are the directories that are being copied.
    private func copy(_ from: String, _ to: String, _ way: [String]) throws {
        switch type(from) {
        case .typeDirectory:
            try FileManager.default.createDirectory(atPath: to, withIntermediateDirectories: true)
            for name in try names(from) {
                let inner = "\(from)/\(name)"
                let isLink = type(inner) == .typeSymbolicLink
                let target = isLink ? try resolve(from, name, way) : inner
                try copy(target, "\(to)/\(name)", way + [target])
            }
        case .typeRegular: try FileManager.default.copyItem(atPath: workshop.path + "/" + from, toPath: to)
        default: throw Problem.other
        }
    }

    /// The target of a symlink in a directory, resolved component by component.
    private func resolve(_ directory: String, _ name: String, _ way: [String]) throws -> String {
        var done = directory.split(separator: "/").map(String.init)
        var rest = [name]
        var count = 0
        while !rest.isEmpty {
            let next = rest.removeFirst()
            if next == "." || next.isEmpty { continue }
            if next == ".." {
                guard done.popLast() != nil else { throw Problem.leaves }
                continue
            }
            let path = (done + [next]).joined(separator: "/")
            switch type(path) {
            case nil: throw Problem.other
            case .typeSymbolicLink:
                count += 1
                guard count <= 40 else { throw Problem.other }
                let text = try FileManager.default.destinationOfSymbolicLink(atPath: workshop.path + "/" + path)
                guard !text.hasPrefix("/") else { throw Problem.leaves }
                rest = text.split(separator: "/").map(String.init) + rest
            default:
                if !rest.isEmpty, type(path) != .typeDirectory { throw Problem.other }
                done.append(next)
            }
        }
        let real = done.joined(separator: "/")
        let isForbidden = done.contains(".git") || done.first == "store" || done.isEmpty
        let isAround = type(real) == .typeDirectory && way.contains { $0 == real || $0.hasPrefix(real + "/") }
        if isForbidden || isAround { throw Problem.other }
        return real
    }
}
