import ArgumentParser
import Deployment
import Display
import Git
import Model
import SSH

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine and the hosts for problems, and suggest fixes.",
        discussion: """
            Without hosts, doctor checks only this machine. With hosts, it tries each step of the login, and inspects the \
            host. It changes nothing there, and does not upload the agent.

            Exit status: 1 if a check failed, else 0.

            Example: `deptool doctor web1`
            """)

    @Argument(help: "Hosts to check: names, comma-separated lists, patterns such as 'web*'.", completion: Complete.hosts)
    var hosts: [String] = []
    @OptionGroup var ssh: SSHOptions
    @OptionGroup var output: OutputOption

    func run() async throws {
        var (findings, wanted) = LocalDoctor.workspace()
        findings += LocalDoctor.tools(configuration: ssh.sshConfig)
        let named = try choose(among: wanted.keys.sorted())
        if !named.isEmpty {
            let screen = ProgressScreen(named)
            do {
                let doctor = try Doctor(named, access: ssh.access(screen, asks: !output.json))
                let found = await doctor.examine { [wanted] host in wanted[host] ?? Doctor.Wanted() }
                findings += found.flatMap { Diagnosis.about($0.host, $0.steps) }
            } catch {
                throw CommandError(error.phrase)
            }
        }
        let exit: Int32 = findings.contains { $0.verdict == .fail } ? 1 : 0
        output.write(doctorJSON(findings, exit: exit), or: DoctorText(style: Terminal.style).render(findings))
        if exit != 0 { throw ExitCode(exit) }
    }

    /// Includes named hosts that are not in the tree.
    private func choose(among known: [Hostname]) throws -> [Hostname] {
        guard !hosts.isEmpty else { return [] }
        let filter = HostFilter(hosts)
        let named = hosts.flatMap { $0.split(separator: ",") }.compactMap { Hostname(String($0)) }
        let chosen = Set(known.filter(filter.includes) + named).sorted()
        if chosen.isEmpty { try reporting { try filter.check(known) } }
        return chosen
    }
}
