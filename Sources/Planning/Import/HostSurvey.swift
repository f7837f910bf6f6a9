import Model

/// The result of a survey: the host's files, their state by its packages, and its units. All of it comes unverified from the host.
package struct HostSurvey: Hashable, Sendable {
    /// A file, symlink, or anything else that is no directory.
    package struct Entry: Hashable, Sendable {
        /// Nil if Deptool has no such paths; `shown` is there for messages.
        package var path: AbsolutePath?
        package var problem: PathError?
        package var shown: String
        package var status: Status
        /// For a symlink: its final target, if that exists.
        package var target: Target?

        package init(path: AbsolutePath?, problem: PathError? = nil, shown: String, status: Status, target: Target? = nil) {
            (self.path, self.problem, self.shown, self.status, self.target) = (path, problem, shown, status, target)
        }
    }

    package struct Target: Hashable, Sendable {
        package var path: AbsolutePath
        package var status: Status

        package init(path: AbsolutePath, status: Status) { (self.path, self.status) = (path, status) }
    }

    /// As stat(2) has it, with names.
    package struct Status: Hashable, Sendable {
        package var mode: UInt32
        package var size: UInt64
        package var owner: String
        package var group: String

        package init(mode: UInt32, size: UInt64, owner: String, group: String) {
            (self.mode, self.size, self.owner, self.group) = (mode, size, owner, group)
        }

        package var isFile: Bool { mode & 0o170000 == 0o100000 }
        package var isSymlink: Bool { mode & 0o170000 == 0o120000 }
        package var permissions: UInt32 { mode & 0o7777 }
    }

    /// `EnvironmentFile=` of a unit file, drop-in or quadlet in `/etc`.
    package struct EnvironmentFile: Hashable, Sendable {
        package var unit: AbsolutePath
        /// A path, with specifiers and wildcards.
        package var value: String

        package init(unit: AbsolutePath, value: String) { (self.unit, self.value) = (unit, value) }

        /// Whether it may be the file. A specifier matches any text.
        func matches(_ path: AbsolutePath) -> Bool {
            matchesGlob(Array(path.text.utf8), Array(value.replacing(/%./, with: "*").utf8))
        }
    }

    /// A package's entry for one of its configuration files.
    package struct Conffile: Hashable, Sendable {
        package var package: String
        package var md5: String

        package init(package: String, md5: String) { (self.package, self.md5) = (package, md5) }
    }

    package var hostname = ""
    package var entries: [Entry] = []
    /// The directories that everybody may enter.
    package var openDirectories: Set<AbsolutePath> = []
    /// Whether dpkg lists the owners of files.
    package var hasPackages = false
    /// The packages of files and unit files, by path.
    package var owners: [AbsolutePath: String] = [:]
    package var conffiles: [AbsolutePath: Conffile] = [:]
    /// The MD5 sums of files in `/etc`, and those of the files that packages copy there.
    package var sums: [AbsolutePath: String] = [:]
    package var pristine: Set<String> = []
    package var mountPoints: Set<AbsolutePath> = []
    /// The states of unit files (`enabled`), and of units (`active`).
    package var enablement: [String: String] = [:]
    package var activity: [String: String] = [:]
    package var environment: [EnvironmentFile] = []
    /// Programs that checks could run.
    package var programs: Set<String> = []

    package init() {}

    /// Whether the unit is enabled and up.
    func runs(_ unit: UnitName) -> Bool { isActive(unit) && enablement[unit.text] == "enabled" }

    /// Whether the host has the unit, a template of it, or a file for it.
    package func has(_ unit: UnitName) -> Bool {
        [unit.text, unit.template].contains { enablement[$0] != nil }
            || ["active", "activating", "failed"].contains(activity[unit.text]) || entries.compactMap(\.path).contains(where: unit.isSetUp)
    }

    /// Whether everybody can read a file with this path, by all that was seen on the way to it.
    package func isPublic(_ path: AbsolutePath, _ status: Status) -> Bool {
        status.mode & 0o004 != 0 && path.ancestors.allSatisfy(openDirectories.contains)
    }

    func isActive(_ unit: UnitName) -> Bool { activity[unit.text] == "active" }
}

extension AbsolutePath {
    /// The directories above it, but for `/`.
    package var ancestors: [AbsolutePath] {
        var found: [AbsolutePath] = []
        var here = parent
        while let directory = here {
            found.append(directory)
            here = directory.parent
        }
        return found
    }
}
