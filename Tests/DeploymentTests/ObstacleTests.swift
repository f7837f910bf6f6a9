import Model
import Testing
import Wire

@testable import Deployment

@Suite struct ObstacleTests {
    @Test func `an obstacle of several steps is reported once, in order`() throws {
        let (a, b) = (try AbsolutePath("/etc/a"), try AbsolutePath("/etc/b"))
        let failures = [
            AgentError(step: 1, .occupied(a, by: .file, for: nil)), AgentError(step: 2, .fixed(b, code: 16)),
            AgentError(step: 3, .occupied(a, by: .file, for: nil)), AgentError(step: 4, .occupied(a, by: .directory, for: nil)),
            AgentError(step: 5, .fixed(b, code: 16)), AgentError(step: 6, .fixed(b, code: 30)),
        ]
        #expect(AgentError.distinct(failures).map(\.step) == [1, 2, 4, 6])
        #expect(AgentError.distinct([]).isEmpty)
    }
}
