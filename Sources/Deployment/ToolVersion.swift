import CAgents

/// The version of this tool and its agents.
package let toolVersion = "0.1.0"

/// The parts of this program.
package enum BuildNotes {
    /// The commit of its sources, with `-dirty` behind it if they were changed; nil if unknown.
    package static var commit: String? {
        let text = unsafe String(cString: build_commit())
        return text.isEmpty ? nil : text
    }

    /// The libraries that are linked in, each with its version; empty if the program loads those of the machine.
    package static var libraries: [String] {
        unsafe String(cString: build_libraries()).split(separator: "\n").map(String.init)
    }

    package static var agents: [BundledAgent] { BundledAgent.all }
}
