import ArgumentParser
import Deployment
import Git
import Model

struct DeployFlags: ParsableArguments {
    @Flag(help: "Deploy without asking.")
    var noConfirm = false
    @Flag(help: "Continue without hosts that cannot be reached.")
    var skipUnreachable = false
    @Flag(help: "Connect only after you have answered.")
    var noPreconnect = false
    @Option(
        help: ArgumentHelp(
            "Run this command here while all hosts wait, and keep the new state only if it succeeds.", valueName: "command"))
    var confirmWith: String?
    @OptionGroup var held: HeldOption
    @OptionGroup var output: OutputOption

    func validate() throws {
        guard noConfirm || !output.json else { throw ValidationError("'--json' asks nothing: it needs '--no-confirm'.") }
    }
}

extension DeployRun {
    init(
        _ ssh: SSHOptions, _ limit: LimitOption, _ flags: DeployFlags, kind: HistoryEntry.Kind = .deploy, forgets: Bool = false,
        isPlanOnly: Bool
    ) {
        self.init(
            ssh: ssh, output: flags.output, limit: limit, includesHeld: flags.held.held, asks: !flags.noConfirm,
            skipsUnreachable: flags.skipUnreachable,
            connectsEarly: !flags.noPreconnect, confirmWith: flags.confirmWith, kind: kind, forgets: forgets, isPlanOnly: isPlanOnly)
    }
}
