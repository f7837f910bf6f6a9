import Platform

/// Limits concurrent entries, in total and at each door.
final class Semaphore: Sendable {
    private struct Inside {
        var count = 0
        var atDoor: [String: Int] = [:]
    }

    private let limit: Int
    private let maximumAtDoor: Int
    private let inside = Monitor(Inside())

    init(_ limit: Int, atDoor maximumAtDoor: Int) { (self.limit, self.maximumAtDoor) = (limit, maximumAtDoor) }

    /// Waits for places at all of these doors at once, so that no caller holds one place while waiting for another.
    func enter<Result, Problem: Error>(
        by doors: Set<String>, _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        inside.wait { inside -> Void? in
            guard inside.count < limit, doors.allSatisfy({ inside.atDoor[$0, default: 0] < maximumAtDoor }) else { return nil }
            inside.count += 1
            for door in doors { inside.atDoor[door, default: 0] += 1 }
        }
        defer {
            inside.update { inside in
                inside.count -= 1
                for door in doors { inside.atDoor[door, default: 0] -= 1 }
            }
        }
        return try body()
    }
}
