import Model

extension AppTree {
    /// The commands that test the host and the app's files before anything changes: the manifest's requirements, its checks, and
    /// those of directories with a meaning.
    var checks: [[String]] {
        (manifest.requires.isEmpty ? [] : [Requirement.arguments(manifest.requires)]) + manifest.checks.map(\.arguments)
            + PlacedDirectory.all.filter { !$0.checks.isEmpty }.flatMap { directory in
                let files = directoryFiles.filter { $0.directory == directory }.map(\.path)
                    .filter { $0.parent == directory.target }.map(\.text)
                return files.isEmpty
                    ? []
                    : directory.checks.flatMap { command in
                        command[0].hasPrefix("/")
                            ? [command]
                            : stride(from: 0, to: files.count, by: 50).map { OptionalCheck.arguments(command + files[$0...].prefix(50)) }
                    }
            }
    }
}

/// A check by a program that not every host has, or not in a version that can check. It passes there.
package enum OptionalCheck {
    private static let script =
        #"{ command -v "$0" && { [ "$0" != udevadm ] || udevadm verify --help | grep -e "$2"; }; } >/dev/null 2>&1 || exit 0; exec "$0" "$@""#

    static func arguments(_ command: [String]) -> [String] { ["/bin/sh", "-c", script] + command }

    /// The usual command; other commands stay unchanged.
    package static func command(_ arguments: [String]) -> [String] {
        arguments.count > 3 && Array(arguments.prefix(3)) == self.arguments([]) ? Array(arguments.dropFirst(3)) : arguments
    }
}
