import ArgumentParser
import Deployment
import Model

struct DeployFlags: ParsableArguments {
    @Flag(help: "Do not ask.")
    var noConfirm = false
    @Flag(help: "Go on without hosts that cannot be reached.")
    var skipUnreachable = false
    @Flag(help: "Do not connect before you have answered.")
    var noPreconnect = false
    @OptionGroup var output: OutputOption

    func validate() throws {
        guard noConfirm || !output.json else { throw ValidationError("'--json' asks nothing: it goes with '--no-confirm'.") }
    }
}
