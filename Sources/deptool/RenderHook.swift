import CSystem
import Display
import Git
import Model

extension Workspace {
    /// Runs what `render` of the cluster's section in the store's configuration says, such as `make prod`, beside the
    /// cluster's directory. What it prints goes to standard error, since standard output is the plan's.
    func render() throws {
        // No section of Git's configuration has such a name.
        guard !cluster.contains("\n") else { return }
        guard let hook = try complaining({ try store.configuration("deptool.\(cluster).render") }) else { return }
        let parent = "/" + directory.split(separator: "/").dropLast().joined(separator: "/")
        let script = #"cd "$1" && export DEPTOOL_CLUSTER="$2" && exec sh -c "$3""#
        var bytes: [UInt8] = []
        let arguments = ["sh", "-c", script, "sh", parent, cluster, hook]
        for argument in arguments { bytes += Array(argument.utf8) + [0] }
        let input = csys_open_null()
        let outputs = [csys_duplicate(2), csys_duplicate(2)]
        defer { for descriptor in [input] + outputs where descriptor >= 0 { _ = csys_close(descriptor) } }
        let pid = bytes.withUnsafeBytes {
            csys_spawn_foreground($0.baseAddress, $0.count, arguments.count, input, outputs[0], outputs[1])
        }
        guard pid > 0 else { throw Complaint("cannot run the render hook: \(String(cString: csys_strerror(-pid)))") }
        let status = csys_wait(pid, true)
        guard status == 0 else {
            throw Complaint(
                "the render hook `\(visible(hook))` failed with status \(status)",
                "Nothing was planned. It ran in \(parent); `--no-render` takes the config tree as it is.")
        }
    }
}
