import ArgumentParser
import Planning

struct SafetyOptions: ParsableArguments {
    @Option(
        name: .customLong("guard"),
        help: ArgumentHelp(
            "When a host keeps its new state only after a new login to it has worked: 'auto' if the plan touches files or "
                + "units on which a login depends, 'always', or 'never'.", valueName: "when"))
    var `guard` = Safety.Guard.auto
    @Flag(help: "Roll back all hosts if one fails.")
    var atomic = false
    @Flag(help: "Skip the checks of the apps.")
    var noChecks = false

    var safety: Safety { Safety(guard: `guard`, isAtomic: atomic, runsChecks: !noChecks) }
}

extension Safety.Guard: ExpressibleByArgument {}
