import ArgumentParser

struct ExitCodeOption: ParsableArguments {
    @Flag(help: "Exit with 2 when there is something to do.")
    var exitCode = false

    func leave(_ hasChanges: Bool) throws {
        if exitCode && hasChanges { throw ExitCode(2) }
    }
}
