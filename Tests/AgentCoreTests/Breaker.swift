import AgentCore
import Testing

/// Does something to the host before operations of the agent, as another user could.
final class Intruder: OperationGate {
    private let act: (AgentCore.Operation, String) throws -> Int32

    init(_ act: @escaping (AgentCore.Operation, String) throws -> Int32) { self.act = act }

    func pass(_ operation: AgentCore.Operation, _ path: String) -> Int32 {
        do {
            return try act(operation, path)
        } catch {
            Issue.record(error)
            return 5
        }
    }

    func allowance(_ count: Int) -> Int { count }
}

/// Counts the operations of an agent, and lets some of them fail.
final class Breaker: OperationGate {
    private(set) var count = 0
    private let error: Int32
    private let isBroken: (Int, AgentCore.Operation, String) -> Bool

    /// Operation `number`, counted from one, fails with EIO or another errno.
    init(at number: Int, error: Int32 = 5) {
        self.error = error
        isBroken = { count, _, _ in count == number }
    }

    /// Operations fail with EIO or another errno by their kind and path.
    init(error: Int32 = 5, where isBroken: @escaping (AgentCore.Operation, String) -> Bool) {
        self.error = error
        self.isBroken = { isBroken($1, $2) }
    }

    func pass(_ operation: AgentCore.Operation, _ path: String) -> Int32 {
        count += 1
        return isBroken(count, operation, path) ? error : 0
    }

    func allowance(_ count: Int) -> Int { count }
}
