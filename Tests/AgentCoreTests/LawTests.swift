import Foundation
import Model
import TestSupport
import Testing
import Wire

@testable import AgentCore

/// Laws that hold for any trees. A failure names its seed.
@Suite struct LawTests {
    @Test func `a deploy brings the host and its record to the wanted state`() throws {
        var random = Seeded()
        for _ in 0..<15 {
            let host = try TestHost()
            var now: (wanted: Wanted, number: Int)?
            for number in 1...8 {
                let next = random.wanted()
                try host.deploy(next, number, after: now)
                try host.expect(running: next, number, "seed \(random.seed)")
                now = (next, number)
            }
        }
    }

    @Test func `an undone deploy leaves everything as it was`() throws {
        var random = Seeded()
        for _ in 0..<30 {
            let host = try TestHost()
            let (old, new) = (random.wanted(), random.wanted())
            try host.deploy(old, 1)
            // Some links displace files of the same content.
            for app in new.apps.values {
                for (path, source) in app.links.merging(app.placed.mapValues(\.source), uniquingKeysWith: { $1 })
                where random.bool() && !host.exists(path) {
                    let mode = app.placed[path]?.mode ?? (app.files[source]!.isExecutable ? 0o755 : 0o644)
                    try host.write(path, String(decoding: app.files[source]!.content, as: UTF8.self), mode: Int(mode))
                }
            }
            let before = try host.listing()
            let plan = Plan(from: (old, 1), to: new, 2)
            let whole = try TestHost(copyOf: host)
            let counter = Breaker(at: .max)
            #expect(try whole.deploy(plan, gate: counter) == .finished(.deployed), "seed \(random.seed)")
            // Half of the operations come after the staging, or nearly.
            let number = random.int(counter.count / 2...counter.count)
            _ = try host.deploy(plan, gate: Breaker(at: number))
            try host.end(try host.session().client)
            let record = FileManager.default.contents(atPath: host.real("/var/lib/deptool/store/record"))
            let isNew = try record.map { try StoredRecord(decoding: Array($0)).record } == new.record(2)
            if !isNew {
                try host.expect(
                    unchangedSince: before, "operation \(number) of \(counter.count), seed \(random.seed)")
            }
            if !isNew { #expect(try host.deploy(plan) == .finished(.deployed), "seed \(random.seed)") }
            try host.expect(running: new, 2, "seed \(random.seed)")
        }
    }

    @Test func `links of an earlier version become files with the next deploy, or stay when it is undone`() throws {
        var random = Seeded()
        for round in 0..<30 {
            let host = try TestHost()
            let old = random.wanted()
            try host.deploy(old.withLinksOnly, 1)
            let new = round % 2 == 0 ? old : random.wanted()
            let before = try host.listing()
            let plan = Plan(from: (old.withLinksOnly, 1), to: new, 2)
            let whole = try TestHost(copyOf: host)
            let counter = Breaker(at: .max)
            try #require(try whole.deploy(plan, gate: counter) == .finished(.deployed), "seed \(random.seed)")
            try whole.expect(running: new, 2, "seed \(random.seed)")
            let number = random.int(1...counter.count)
            _ = try host.deploy(plan, gate: Breaker(at: number))
            try host.end(try host.session().client)
            let record = FileManager.default.contents(atPath: host.real("/var/lib/deptool/store/record"))
            if try record.map({ try StoredRecord(decoding: Array($0)).record }) != new.record(2) {
                try host.expect(unchangedSince: before, "operation \(number) of \(counter.count), seed \(random.seed)")
                #expect(try host.deploy(plan) == .finished(.deployed), "seed \(random.seed)")
            }
            try host.expect(running: new, 2, "seed \(random.seed)")
        }
    }

    @Test func `a second deploy of the same changes only the commit`() throws {
        var random = Seeded()
        for _ in 0..<20 {
            let host = try TestHost()
            let wanted = random.wanted()
            try host.deploy(wanted, 1)
            var before = try host.listing()
            let plan = Plan(from: (wanted, 1), to: wanted, 2)
            #expect(plan.preparation.steps == [])
            #expect(try host.deploy(plan) == .finished(.deployed), "seed \(random.seed)")
            var after = try host.listing()
            before["/var/lib/deptool/store/record"] = nil
            after["/var/lib/deptool/store/record"] = nil
            #expect(difference(before, after) == [], "seed \(random.seed)")
        }
    }

    @Test func `deploys in steps and at once lead to the same host`() throws {
        var random = Seeded()
        for _ in 0..<15 {
            let (one, two) = (try TestHost(), try TestHost())
            let last = random.wanted()
            try one.deploy(last, 9)
            var now: (wanted: Wanted, number: Int)?
            for number in 1...3 {
                let next = random.wanted()
                try two.deploy(next, number, after: now)
                now = (next, number)
            }
            try two.deploy(Wanted(), 4, after: now)
            try two.deploy(last, 9, after: (Wanted(), 4))
            let left = difference(try one.listing(), try two.listing())
            #expect(left == [], "seed \(random.seed)")
        }
    }
}
