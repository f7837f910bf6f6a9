import Foundation
import Git
import Model
import Platform
import TestSupport
import Testing

/// Files read ahead by threads, compared with files read in turn.
@Suite struct ReadAheadTests {
    private let workshop: Workshop
    private var random = Seeded()
    private var seed: UInt64 { random.seed }

    init() throws { workshop = try Workshop() }

    @Test mutating func `random clusters give the same tree or the same errors`() throws {
        let stores = [try workshop.store(), try Store.create(at: workshop.path + "/other")]
        for round in 0..<12 {
            try addHosts()
            for known in [false, true] {
                let outcomes = zip(stores, [0, .max]).map { outcome($0, minimumAhead: $1) }
                #expect(outcomes[0] == outcomes[1], "seed \(seed), round \(round), known \(known)")
                if outcomes[0].error.isEmpty {
                    #expect(outcomes[0].tree == (try workshop.expectedTree()), "seed \(seed), round \(round), known \(known)")
                }
                workshop.settle()
            }
            // Half of the clusters grow, and have hosts that were imported before.
            if Bool.random(using: &random) || !outcome(stores[0], minimumAhead: 0).error.isEmpty { try clear() }
        }
        for store in [workshop.storePath, workshop.path + "/other"] { try workshop.git("-C", store, "fsck", "--strict", "--full") }
    }

    @Test mutating func `files that change meanwhile are named, or read again the next time`() throws {
        let store = try workshop.store()
        let path = workshop.cluster + "/web1/app"
        for number in 0..<200 { try workshop.write("web1/app/file\(number)", "\(number)") }
        for round in 0..<20 {
            // Without a cache, the host is new.
            try? FileManager.default.removeItem(atPath: workshop.storePath + "/tree-cache")
            let isDone = Monitor(false)
            let start = random.next()
            let thread = Platform.Thread {
                var random = Seeded(start)
                while !isDone.update({ $0 }) {
                    let file = "\(path)/file\(Int.random(in: 0..<200, using: &random))"
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: truncate(file, Int.random(in: 0...9000, using: &random))
                    case 1: try? Platform.unlink(file)
                    case 2: try? "\(UInt8.random(in: 100...199, using: &random))".write(toFile: file, atomically: true, encoding: .utf8)
                    default: try? "\(UInt8.random(in: 100...199, using: &random))".write(toFile: file, atomically: false, encoding: .utf8)
                    }
                }
            }
            let result = outcome(store, minimumAhead: 0)
            isDone.update { $0 = true }
            thread?.join()
            #expect(result.error.isEmpty || result.error.contains("changed"), "seed \(seed), round \(round): \(result.error)")
            #expect(outcome(store, minimumAhead: .max).tree == (try workshop.expectedTree()), "seed \(seed), round \(round)")
        }
    }

    private struct Outcome: Equatable {
        var tree = ""
        var error = ""
        var warnings: [String] = []
    }

    private func outcome(_ store: Store, minimumAhead: Int) -> Outcome {
        var result = Outcome()
        var warnings: [String] = []
        do {
            result.tree = try store.importCluster(at: workshop.cluster, minimumAhead: minimumAhead) { warnings.append($0.phrase) }.hex
        } catch {
            result.error = error.phrase
        }
        result.warnings = warnings
        return result
    }

    private func clear() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: workshop.cluster) { try workshop.remove(name) }
    }

    /// Adds entries of all kinds, to new hosts and those that are there. One of a hundred is a mistake.
    private mutating func addHosts() throws {
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let host = "web\(Int.random(in: 0..<12, using: &random))"
            if Bool.random(using: &random) { try workshop.write("\(host)/host.json", "{}\n") }
            try workshop.write("\(host)/beside", "left out")
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let app = "\(host)/app\(Int.random(in: 0..<6, using: &random))"
                try workshop.directory(app)
                for number in 0..<Int.random(in: 0...100, using: &random) { try addEntry(app, number) }
            }
        }
    }

    private mutating func addEntry(_ app: String, _ number: Int) throws {
        let directory = app + ["", "", "/a", "/a/b", "/ü/deep/er", "/not secrets"].randomElement(using: &random)!
        let file = "\(directory)/file \(number)"
        // Earlier rounds may have left a FIFO there, which would block.
        try? workshop.remove(file)
        switch Int.random(in: 0..<400, using: &random) {
        case 0: try? workshop.link(file, to: "/etc/hostname")
        case 1: if (try? workshop.directory(directory)) != nil { mkfifo("\(workshop.cluster)/\(file)", 0o600) }
        case 2: try workshop.write("\(app)/secrets/plain\(number).age", "not sealed")
        case 3:
            try workshop.write("\(directory)/File \(number)", "the same name, to some")
            fallthrough
        case 4..<20: try workshop.write("\(app)/secrets/key\(number).age", SecretsDirectory.mark + "sealed \(number)")
        case 20..<30: try workshop.directory(file + " of nothing")
        case 30..<34:
            let size = (1 << 20) + Int.random(in: -1...1, using: &random)
            try workshop.write(file, [UInt8](repeating: UInt8(number), count: size))
        case 34..<80:
            let size = 65_535 + Int.random(in: -1...1, using: &random)
            try workshop.write(file, [UInt8](repeating: UInt8(number), count: size), mode: 0o755)
        case 80..<120: try workshop.write(file, "")
        case 120..<160: try workshop.write(file, "the same everywhere")
        default: try workshop.write(file, "\(app) \(number) \(Int.random(in: 0..<1000, using: &random))\n")
        }
    }
}
