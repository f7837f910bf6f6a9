import ArgumentParser

struct ExitCodeOption: ParsableArguments {
    @Flag(help: "Exit with status 2 if there is something to do.")
    var exitCode = false

    func leave(_ hasChanges: Bool) throws {
        if exitCode && hasChanges { throw ExitCode(2) }
    }
}
