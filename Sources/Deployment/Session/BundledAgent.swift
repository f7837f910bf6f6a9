import CAgents
import Model

/// An agent that this tool carries for hosts with one kind of CPU.
@safe package struct BundledAgent {
    /// As `uname -m` prints it.
    package var cpu: String
    /// Of its bytes as it was built, in hexadecimal.
    package var sha256: String
    var bytes: UnsafeBufferPointer<UInt8>

    /// The output of `uname -sm` on its hosts. A 64-bit kernel reports an armv8l to 32-bit programs.
    var machines: [String] { (cpu == "armv7l" ? [cpu, "armv8l"] : [cpu]).map { "Linux \($0)" } }

    /// Its file name on a host, unique to this agent.
    var name: String { "deptool-agent-\(toolVersion)-\(sha256.prefix(10))" }

    /// Of its bytes as they are in this program now.
    package var actualSHA256: String {
        unsafe String(unsafeUninitializedCapacity: 65) { digits in
            unsafe digits.withMemoryRebound(to: CChar.self) { unsafe carried_sha256(bytes.baseAddress, bytes.count, $0.baseAddress) }
            return 64
        }
    }

    static var all: [BundledAgent] {
        (0..<carried_agent_count()).map { index in
            let agent = unsafe carried_agent_at(index)
            return unsafe BundledAgent(
                cpu: String(cString: agent.cpu), sha256: String(cString: agent.sha256),
                bytes: UnsafeBufferPointer(start: agent.bytes, count: agent.size))
        }
    }
}
