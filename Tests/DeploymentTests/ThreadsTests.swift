import Platform
import Testing
import Wire

@testable import Deployment

@Suite struct ThreadsTests {
    @Test func `a monitor keeps every update`() async {
        let sum = Monitor(0)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { await onOwnThread { for _ in 0..<1000 { sum.update { $0 += 1 } } } }
            }
        }
        #expect(sum.update { $0 } == 8000)
    }

    @Test func `an update wakes a thread that waits on a monitor`() async {
        let value = Monitor(0)
        async let waiting = onOwnThread { value.wait { $0 == 3 ? "three" : nil } }
        for _ in 0..<3 { value.update { $0 += 1 } }
        #expect(await waiting == "three")
    }

    @Test func `more blocking tasks than cores run at the same time`() async {
        let count = 64
        let here = Monitor(0)
        // Each waits for all the others: on the pool's few threads this would never end.
        await withTaskGroup { group in
            for _ in 0..<count {
                group.addTask {
                    await onOwnThread {
                        here.update { $0 += 1 }
                        here.wait { $0 == count ? () : nil }
                    }
                }
            }
        }
        #expect(here.update { $0 } == count)
    }

    @Test(arguments: [
        ([Barrier.Vote.ready, .ready, .ready], true), ([.ready, .absent, .ready], true), ([.absent, .absent, .absent], true),
        ([.ready, .against, .ready], false), ([.absent, .ready, .against], false),
    ])
    func `all hosts commit, or none`(votes: [Barrier.Vote], goesOn: Bool) async {
        let meeting = Barrier(votes.count)
        let decisions = await withTaskGroup { group in
            for vote in votes {
                group.addTask {
                    await onOwnThread {
                        meeting.vote(vote)
                        return meeting.decision()
                    }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(decisions == Array(repeating: goesOn, count: votes.count))
    }

    @Test func `no participant proceeds before all have voted`() async {
        let meeting = Barrier(2)
        let isDecided = Monitor(false)
        meeting.vote(.ready)
        async let decision = onOwnThread {
            let decision = meeting.decision()
            isDecided.update { $0 = true }
            return decision
        }
        #expect(!isDecided.update { $0 })
        meeting.vote(.against)
        #expect(await decision == false)
        #expect(Barrier(0).decision())
    }

    @Test func `a participant that fails its liveness check withdraws its vote`() async {
        struct Gone: Error {}
        let meeting = Barrier(2, pause: .milliseconds(1))
        meeting.vote(.ready)
        let proofs = Monitor(0)
        let result = await onOwnThread {
            Result { () throws(Gone) in
                try meeting.decision { () throws(Gone) in
                    if proofs.update({
                        $0 += 1
                        return $0
                    }) == 3 {
                        throw Gone()
                    }
                }
            }
        }
        #expect(throws: Gone.self) { try result.get() }
        meeting.vote(.ready)
        #expect(meeting.decision() == false)
    }

    @Test(arguments: [(Barrier.Vote?.none, false), (.absent, true)])
    func `a participant that leaves votes at every barrier it did not reach`(vote: Barrier.Vote?, goesOn: Bool) {
        struct Undecided: Error {}
        let (first, second, third) = (Barrier(1), Barrier(2), Barrier(1, pause: .zero))
        func visit() {
            var participant = Participant(at: [first, second, third])
            participant.arrive()
            if let vote { participant.voteOnLeaving = vote }
            #expect(first.decision())
            #expect(throws: Undecided.self) { try third.decision { () throws(Undecided) in throw Undecided() } }
        }
        second.vote(.ready)
        visit()
        #expect(second.decision() == goesOn)
    }

    @Test(arguments: [(Int?(0), Problem?.none), (3, .programRefused(status: 3)), (nil, .programRefused(status: nil))])
    func `a program votes once for all hosts`(status: Int?, objection: Problem?) async throws {
        let runs = Monitor(0)
        let vote = ProgramVote { _ in
            runs.update { $0 += 1 }
            return status
        }
        for _ in 0..<3 {
            let found = await onOwnThread { Result { () throws(HostError) in try vote.objection { () throws(HostError) in } } }
            #expect(try found.get() == objection)
        }
        #expect(runs.update { $0 } == 1)
        #expect(try ProgramVote(nil).objection { () throws(HostError) in } == .programRefused(status: nil))
    }

    @Test func `a cancelled deploy ends the program`() throws {
        let vote = ProgramVote { isCancelled in
            while !isCancelled() {}
            return nil
        }
        vote.cancel()
        #expect(try vote.objection { () throws(HostError) in } == .cancelled)
    }

    @Test func `a decision stays once all have voted`() async {
        struct Gone: Error {}
        let meeting = Barrier(1, pause: .zero)
        meeting.vote(.ready)
        let decision = Result { () throws(Gone) in try meeting.decision { () throws(Gone) in throw Gone() } }
        #expect((try? decision.get()) == true)
    }

    @Test func `a semaphore limits the threads inside`() async {
        struct Full: Error {}
        let semaphore = Semaphore(3, atDoor: 3)
        let places = Monitor((inside: 0, most: 0))
        await withTaskGroup { group in
            for round in 0..<20 {
                group.addTask {
                    await onOwnThread {
                        try? semaphore.enter(by: []) { () throws(Full) in
                            places.update {
                                $0.inside += 1
                                $0.most = max($0.most, $0.inside)
                            }
                            places.update { $0.inside -= 1 }
                            if round % 2 == 0 { throw Full() }
                        }
                    }
                }
            }
        }
        #expect((1...3).contains(places.update { $0.most }))
        // Those that failed have left, too.
        #expect(semaphore.enter(by: []) { true })
    }

    @Test func `each door of a semaphore has its own limit, and no thread waits while it holds a place`() async {
        let semaphore = Semaphore(100, atDoor: 2)
        let places = Monitor((inside: 0, most: 0))
        await withTaskGroup { group in
            // Two doors in either order: a thread that took one and waited for the other would wait forever.
            for round in 0..<40 {
                group.addTask {
                    await onOwnThread {
                        semaphore.enter(by: round % 2 == 0 ? ["a", "b"] : ["b", "c", "a"]) {
                            places.update {
                                $0.inside += 1
                                $0.most = max($0.most, $0.inside)
                            }
                            places.update { $0.inside -= 1 }
                        }
                    }
                }
            }
        }
        #expect((1...2).contains(places.update { $0.most }))
        // A thread at another door does not wait.
        #expect(semaphore.enter(by: ["a"]) { semaphore.enter(by: ["a"]) { semaphore.enter(by: ["d"]) { true } } })
    }

    @Test func `percentiles are times that were measured`() {
        func trips(_ times: [Int]) -> RoundTrips {
            var trips = RoundTrips()
            for time in times { trips.add(.milliseconds(time)) }
            return trips
        }
        #expect(trips([]).percentile(50) == nil)
        #expect(trips([]).least == nil)
        #expect(trips([7]).percentile(0) == .milliseconds(7))
        #expect(trips([7]).percentile(100) == .milliseconds(7))
        let hundred = trips((1...100).shuffled())
        #expect([0, 1, 50, 95, 100].map { hundred.percentile($0) } == [1, 1, 50, 95, 100].map { .milliseconds($0) })
        #expect(hundred.least == .milliseconds(1))
        #expect(hundred.count == 100)
        #expect(trips([3, 1, 2]).percentile(50) == .milliseconds(2))
        #expect(trips([2, 1]).percentile(50) == .milliseconds(1))
        #expect(trips([2, 1]).percentile(95) == .milliseconds(2))
    }
}
