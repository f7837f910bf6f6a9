import CAgents
import Model

/// An agent that this tool carries for hosts with one kind of CPU.
struct BundledAgent {
    /// As `uname -m` prints it.
    var cpu: String
    /// Hexadecimal.
    var sha256: String
    var bytes: UnsafeBufferPointer<UInt8>

    /// Its file name on a host, unique to this agent.
    var name: String { "deptool-agent-\(toolVersion)-\(sha256.prefix(10))" }

    static var all: [BundledAgent] {
        (0..<carried_agent_count()).map { index in
            let agent = carried_agent_at(index)
            return BundledAgent(
                cpu: String(cString: agent.cpu), sha256: String(cString: agent.sha256),
                bytes: UnsafeBufferPointer(start: agent.bytes, count: agent.size))
        }
    }
}
