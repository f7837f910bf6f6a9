import ArgumentParser

struct HeldOption: ParsableArguments {
    @Flag(help: "Include hosts that are held.")
    var held = false
}
