import Foundation
import Git
import Model
import Testing

/// A temporary directory with a store and a cluster in it, gone after the test.
final class Workshop {
    let path: String

    var storePath: String { path + "/store" }
    var cluster: String { path + "/cluster" }

    init(in directory: String = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path) throws {
        let template = directory + "/deptool-git-XXXXXX"
        var bytes = Array(template.utf8CString)
        guard mkdtemp(&bytes) != nil else { throw CocoaError(.fileWriteUnknown) }
        path = String(decoding: bytes.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        try FileManager.default.createDirectory(atPath: cluster, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func store() throws -> Store { try Store.create(at: storePath) }

    /// Writes a file of the cluster in place, as `echo >` does.
    func write(_ file: String, _ text: String, mode: Int = 0o644) throws { try write(file, Array(text.utf8), mode: mode) }

    func write(_ file: String, _ bytes: [UInt8], mode: Int = 0o644) throws {
        let full = cluster + "/" + file
        try FileManager.default.createDirectory(
            atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        let descriptor = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw CocoaError(.fileWriteUnknown) }
            rest = rest.dropFirst(count)
        }
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: cluster + "/" + file) }

    func directory(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: cluster + "/" + name, withIntermediateDirectories: true)
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: cluster + "/" + name, withDestinationPath: target)
    }

    /// A small cluster with every kind of entry for an import.
    func fill() throws {
        try write("README", "left out\n")
        try write(".git/config", "left out\n")
        try write("web1/notes", "left out\n")
        try write("web1/host.json", "{}\n")
        try write("web1/nginx/manifest.json", "{}\n")
        try write("web1/nginx/systemd/nginx.service", "[Service]\n")
        try write("web1/nginx/systemd.d", "sorts between systemd-x and systemd/\n")
        try write("web1/nginx/systemd-x", "before\n")
        try write("web1/nginx/bin/run", "#!/bin/sh\n", mode: 0o755)
        try write("web1/nginx/.hidden", "counts\n")
        try write("web1/nginx/leer", "")
        try write("web1/nginx/grün/datei", "names need not be ASCII\n")
        try write("web1.example.com/unbound/unbound.conf", "server:\n")
        try write("web1-b/big/blob", [UInt8](repeating: 7, count: 70_000))
        try directory("web1/nginx/empty/inside")
        try directory("web1/absent")
        try directory("web9")
    }

    /// Waits until a file written now is older than the granule that an import distrusts.
    func settle() { usleep(40_000) }

    @discardableResult
    func git(_ arguments: String..., input: String? = nil, environment: [String: String] = [:]) throws -> String {
        try git(arguments, input: input, environment: environment)
    }

    @discardableResult
    func git(_ arguments: [String], input: String? = nil, environment: [String: String] = [:]) throws -> String {
        try run(["git", "-c", "core.fileMode=true", "-c", "safe.directory=*"] + arguments, input: input, environment: environment)
    }

    @discardableResult
    func run(_ script: String) throws -> String { try run(["sh", "-ec", script]) }

    private func run(_ command: [String], input: String? = nil, environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        let inputPipe = Pipe()
        process.standardInput = inputPipe
        try process.run()
        inputPipe.fileHandleForWriting.write(Data((input ?? "").utf8))
        try inputPipe.fileHandleForWriting.close()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(command: command) }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    struct Failed: Error {
        var command: [String]
    }

    /// The tree that Git makes of the cluster, without entries that an import leaves out.
    func expectedTree() throws -> String {
        let other = path + "/expected-\(UInt64.random(in: 0 ... .max))"
        try git("init", "-q", "--bare", other)
        let environment = ["GIT_DIR": other, "GIT_WORK_TREE": cluster, "GIT_INDEX_FILE": other + "/index"]
        let hosts = try FileManager.default.contentsOfDirectory(atPath: cluster).filter { !$0.hasPrefix(".") }
        for host in hosts {
            for app in (try? FileManager.default.contentsOfDirectory(atPath: "\(cluster)/\(host)")) ?? [] {
                var isDirectory: ObjCBool = false
                _ = FileManager.default.fileExists(atPath: "\(cluster)/\(host)/\(app)", isDirectory: &isDirectory)
                guard isDirectory.boolValue || app == "host.json", !app.hasPrefix(".") else { continue }
                _ = try? git("add", "-f", "--", "\(cluster)/\(host)/\(app)", environment: environment)
            }
        }
        // Git's index cannot hold what Deptool's trees can: the empty tree of a host without apps.
        let root = try git("write-tree", environment: environment)
        var entries = try git("ls-tree", root, environment: environment).split(separator: "\n").map(String.init)
        for host in hosts where !entries.contains(where: { $0.hasSuffix("\t" + host) }) {
            var isDirectory: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(cluster)/\(host)", isDirectory: &isDirectory)
            if isDirectory.boolValue { entries.append("040000 tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\t" + host) }
        }
        return try git("mktree", "--missing", input: entries.map { $0 + "\n" }.joined(), environment: environment)
    }

    /// How many object and pack files the store has.
    func objectFiles() throws -> Int {
        try FileManager.default.subpathsOfDirectory(atPath: storePath + "/objects").count { !$0.hasPrefix("info") && $0.contains("/") }
    }

    func cacheFile() throws -> String {
        let directory = storePath + "/tree-cache"
        let files = try FileManager.default.contentsOfDirectory(atPath: directory)
        return directory + "/" + (try #require(files.first))
    }
}

func host(_ name: String) throws -> Hostname { try #require(Hostname(name)) }
func app(_ name: String) throws -> AppName { try #require(AppName(name)) }
