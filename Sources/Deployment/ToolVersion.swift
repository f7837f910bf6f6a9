import CAgents
import Model

/// The version of this tool and its agents.
package let toolVersion = "0.1.0"

/// What this program was made of.
package enum BuildNotes {
    /// The commit of its sources, with `-dirty` behind it if they were changed; nil if unknown.
    package static var commit: String? {
        let text = String(cString: build_commit())
        return text.isEmpty ? nil : text
    }

    /// The libraries that are linked in, each with its version; empty if the program loads those of the machine.
    package static var libraries: [String] {
        String(cString: build_libraries()).split(separator: "\n").map(String.init)
    }

    /// An agent, with the hash of its bytes as it was built, and as they are in this program now.
    package struct Agent {
        package var cpu: String
        package var sha256: String
        package var actualSHA256: String { carriedSHA256(bytes) }
        let bytes: UnsafeBufferPointer<UInt8>
    }

    package static var agents: [Agent] {
        BundledAgent.all.map { Agent(cpu: $0.cpu, sha256: $0.sha256, bytes: $0.bytes) }
    }
}

private func carriedSHA256(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(unsafeUninitializedCapacity: 65) { digits in
        digits.withMemoryRebound(to: CChar.self) { carried_sha256(bytes.baseAddress, bytes.count, $0.baseAddress) }
        return 64
    }
}
