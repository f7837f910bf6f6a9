import ArgumentParser

struct RenderOption: ParsableArguments {
    @Flag(help: "Do not run the render hook first.")
    var noRender = false

    /// Runs the hook that renders the config tree, if there is one.
    func render(_ workspace: Workspace) throws {
        if !noRender { try workspace.render() }
    }
}
