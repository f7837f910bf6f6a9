import Age
import ArgumentParser
import Deployment
import Display
import Model
import Sealing

struct SecretRekeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rekey", abstract: "Seal secrets for the present keys of hosts and operators.",
        discussion: """
            Run it when an operator comes or leaves, or a host has a new key. Secrets whose recipients are right stay as they are. \
            Stanzas for keys of age do not identify their owner: after one such key replaced another, use \
            `--all`.

            A file that its host cannot open, and that was not deployed there, may have been copied from another host. Rekey refuses \
            it without `--trust`, since it would reveal the other host's secret to this one.

            Example: `deptool secret rekey`
            """)

    @Argument(help: "Limit to these: HOST, HOST/APP or HOST/APP/NAME, also patterns.", completion: Complete.secrets)
    var secrets: [String] = []
    @Flag(help: "Seal every secret again.")
    var all = false
    @Flag(help: "Also seal files that were never deployed to their host.")
    var trust = false
    @OptionGroup var identity: IdentityOption
    @OptionGroup var options: SecretOptions

    func run() async throws {
        let files = try options.files()
        let operators = try files.operators()
        let ring = identity.ring
        var hosts: [Hostname: [Recipient]] = [:]
        var exposed: [SecretFiles.Place] = []
        var problems: [CommandError] = []
        var count = 0
        for place in try files.existing(secrets) {
            do {
                let wanted = try hosts[place.host] ?? files.recipients(of: place.host, operators, asks: options.prompts)
                hosts[place.host] = wanted
                let bytes = try files.read(place), file = try files.sealedFile(bytes, at: place)
                guard all || !file.isSealed(for: wanted) else { continue }
                if !trust { try files.checkOrigin(file, bytes, at: place) }
                let value = try files.open(file, at: place, ring)
                report(try files.seal(value, at: [place], asks: options.prompts), files)
                count += 1
                if file.hasOthers(than: wanted) { exposed.append(place) }
            } catch let problem as CommandError {
                problems.append(problem)
            }
        }
        if count == 0, problems.isEmpty { Terminal.write("Every secret is sealed for the present keys.\n") }
        if !exposed.isEmpty {
            Terminal.write(
                "\nKeys that are no longer recipients, of an operator or of a host that was reinstalled, could open these.\n"
                    + "The old files in the history of the config tree still open with them. Unless such a key is safely gone,\n"
                    + "change the values where they are used, and here with `deptool secret set`:\n"
                    + exposed.map { "    \($0.text)\n" }.joined())
        }
        for problem in problems { Terminal.writeError("Error: \(problem)\n") }
        if !problems.isEmpty { throw ExitCode(1) }
    }
}

extension SealedFile {
    /// Whether a key could open it that is not one of these.
    fileprivate func hasOthers(than recipients: [Recipient]) -> Bool {
        let known = recipients.compactMap(\.tag)
        return tags.contains { !known.contains($0) }
            || stanzas.filter { $0.kind == .age || $0.kind == .other }.count > recipients.filter { $0.tag == nil }.count
    }
}
