import Deployment
import Git
import SSH

/// The output of `deptool --version`: the version, on a line of its own, and the parts of this program.
var versionText: String {
    var lines = [toolVersion, "commit \(BuildNotes.commit ?? "unknown")"]
    lines += BuildNotes.agents.map { "agent \($0.cpu) sha256 \($0.sha256)" }
    let libraries = BuildNotes.libraries
    lines += libraries.isEmpty ? ["libgit2 \(libgit2Versions.running)", "libssh2 \(libssh2Versions.running)"] : libraries
    return lines.joined(separator: "\n")
}
