import ArgumentParser
import Deployment
import Display
import Git
import SSH

struct SelfCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "self-check", abstract: "Check that this program is complete and undamaged.",
        discussion: """
            Compares the agents in this program with their hashes, and its libraries with those that it was built for. \
            `deptool --version` lists both. Connects to no host.

            Exit status: 1 if a check failed, else 0.

            Example: `deptool self-check`
            """)

    @OptionGroup var output: OutputOption

    func run() throws {
        let findings = agents + libraries
        let exit: Int32 = findings.contains { $0.verdict == .fail } ? 1 : 0
        output.write(doctorJSON(findings, exit: exit), or: DoctorText(style: Terminal.style).render(findings))
        if exit != 0 { throw ExitCode(exit) }
    }

    private var agents: [Diagnosis] {
        let agents = BuildNotes.agents
        guard !agents.isEmpty else { return [.noAgents] }
        return agents.map { agent in
            let actual = agent.actualSHA256
            guard actual != agent.sha256 else { return Diagnosis("agent \(agent.cpu)", .ok, "sha256 \(actual)") }
            return Diagnosis(
                "agent \(agent.cpu)", .fail, "its sha256 is \(actual) instead of \(agent.sha256)",
                help: "This program is damaged. Install it again.")
        }
    }

    private var libraries: [Diagnosis] {
        [("libgit2", libgit2Versions), ("libssh2", libssh2Versions)].map { name, version in
            guard version.running != version.compiled else { return Diagnosis(name, .ok, version.running) }
            return Diagnosis(
                name, .warn, "\(version.running) runs, and this program was built for \(version.compiled)",
                help: "Build it again, or install the version that it was built for.")
        }
    }
}
