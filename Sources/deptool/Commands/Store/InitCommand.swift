import ArgumentParser
import Git
import Model
import Platform

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Create the store '.deptool', and set the default cluster.",
        discussion: """
            Deptool uses only stores that you created or adopted, and runs only hooks that you allowed, because a store and \
            its configuration may come with somebody else's files.

            Example: `deptool init prod` beside or above the directory `prod`.
            """)

    @Argument(help: "The cluster's directory, which holds a directory per host; created if missing.", completion: .directory)
    var dir: String?
    @Flag(help: "Adopt an existing store that somebody else created.")
    var adopt = false
    @Option(
        help: ArgumentHelp(
            "Run this command before each plan, to render the config tree. An empty command removes the hook.", valueName: "command"))
    var render: String?
    @Option(
        help: ArgumentHelp(
            "Run this command while the hosts of a deploy wait; they keep the new state only if it succeeds. An empty command removes it.",
            valueName: "command"))
    var confirmWith: String?
    @Option(
        help: ArgumentHelp(
            "Run this command after each deploy, with its outcome as JSON on standard input. An empty command removes it.",
            valueName: "command"))
    var notify: String?

    func run() throws {
        let here = workingDirectory()
        let path = environment("DEPTOOL_STORE").map { absolute($0, in: here) } ?? here + "/" + Store.directoryName
        let store = try reporting { try open(path) }
        guard dir != nil || render != nil || confirmWith != nil || notify != nil else { return }
        let workspace = try dir.map { Workspace(store: store, directory: absolute($0, in: here)) } ?? Workspace(directory: nil)
        try workspace.checkPlace()
        try attempt("cannot create \(workspace.directory)", try ensureDirectory(workspace.directory))
        if let render { try workspace.setRender(render) }
        if let confirmWith { try workspace.setConfirmProgram(confirmWith) }
        if let notify { try workspace.setNotify(notify) }
        guard dir != nil else { return }
        try reporting { try workspace.remember() }
        Terminal.write("The default cluster is \(workspace.directory).\n")
    }

    /// The store at `path`, created or adopted if necessary.
    private func open(_ path: String) throws(StoreError) -> Store {
        let known = try KnownStores.ofUser()
        guard let place = try Store.present(at: path) else {
            // A store that cannot be remembered would be useless.
            try known.prepare()
            let store = try Store.create(at: path)
            try known.add(store.place)
            Terminal.write("The store is \(path).\n")
            return store
        }
        let isKnown = try known.contains(place)
        guard isKnown || adopt else { throw .unknownStore(path: path) }
        let store = try Store.open(place)
        if !isKnown { try known.add(place) }
        Terminal.write(isKnown ? "The store is \(path).\n" : "You have adopted the store \(path).\n")
        return store
    }
}
