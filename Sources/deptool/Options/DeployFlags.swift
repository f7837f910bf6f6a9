import ArgumentParser
import Deployment
import Model

struct DeployFlags: ParsableArguments {
    @Flag(help: "Deploy without asking.")
    var noConfirm = false
    @Flag(help: "Continue without hosts that cannot be reached.")
    var skipUnreachable = false
    @Flag(help: "Connect only after you have answered.")
    var noPreconnect = false
    @OptionGroup var output: OutputOption

    func validate() throws {
        guard noConfirm || !output.json else { throw ValidationError("'--json' asks nothing: it goes with '--no-confirm'.") }
    }
}
