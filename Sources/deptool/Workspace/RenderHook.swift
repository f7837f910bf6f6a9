import Display
import Git
import Model
import Platform

extension Workspace {
    private var renderKey: String { "deptool.\(cluster).render" }

    /// Sets the cluster's render hook and allows it to run; an empty command removes it.
    func setRender(_ hook: String) throws {
        guard !cluster.contains("\n") else { throw CommandError("the cluster's name has a line break, so it can have no render hook") }
        try reporting {
            try store.setConfiguration(renderKey, hook.isEmpty ? nil : hook)
            if !hook.isEmpty { try KnownStores.ofUser().allow(hook, for: renderKey, of: directory, in: store.place) }
        }
    }

    /// Fails if a hook renders the config tree, and so would undo an edit of it.
    func checkNotRendered() throws {
        guard !cluster.contains("\n"), let hook = try reporting({ try store.configuration(renderKey) }) else { return }
        throw CommandError(
            "the render hook `\(visible(hook))` makes the config tree, and would undo the edit",
            "Edit the files that it reads; `--no-render` edits the config tree as it is.")
    }

    /// The command that allows a hook.
    private func allowing(_ hook: String) -> String {
        let command = visible(hook) == hook ? quoted(hook) : "COMMAND"
        return "`deptool init \(quoted(directory)) --render \(command)`"
    }

    /// Runs the command `render` from the cluster's section of the store's configuration, such as `make prod`, beside
    /// the cluster's directory. Its output goes to standard error, since standard output is for the plan.
    ///
    /// The user must have allowed this exact command for this directory: a checkout may have overwritten the store's
    /// configuration, or the directory may be another one of the same name.
    func render() throws {
        // Git's configuration cannot have a section of this name.
        guard !cluster.contains("\n") else { return }
        guard let hook = try reporting({ try store.configuration(renderKey) }) else { return }
        guard try reporting({ try KnownStores.ofUser().allows(hook, for: renderKey, of: directory, in: store.place) }) else {
            throw CommandError(
                "you did not allow the render hook `\(visible(hook))` for \(visible(directory))",
                "The store's configuration has it. To run it before each plan, allow it with \(allowing(hook)); `--no-render` takes the config tree as it is."
            )
        }
        Terminal.flush()
        let status = try attempt("cannot run the render hook", try start(hook, in: parent, cluster: cluster, .shared).wait())
        guard status == 0 else {
            throw CommandError(
                "the render hook `\(visible(hook))` failed with status \(status)",
                "Nothing was planned. It ran in \(parent); `--no-render` takes the config tree as it is.")
        }
    }
}

/// Starts a shell command in the directory that holds the cluster's, with its output on standard error and nothing on
/// standard input, or what can be read from `source`.
func start(
    _ command: String, in parent: String, cluster: String, from source: Int32? = nil, _ group: ChildProcess.Group
) throws(Errno) -> ChildProcess {
    let script = #"cd "$1" && export DEPTOOL_CLUSTER="$2" && exec sh -c "$3""#
    return try ChildProcess(["sh", "-c", script, "sh", parent, cluster, command], in: group, input: source, output: 2, error: 2)
}

/// Quotes text as a shell word.
private func quoted(_ text: String) -> String {
    let isPlain =
        !text.isEmpty
        && text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || "/._-+=:,@%".utf8.contains(byte)
        }
    return isPlain ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
}
