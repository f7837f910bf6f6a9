/// A difference between a host and its record, made by someone other than Deptool.
package struct Drift: Hashable, Sendable {
    /// The app that the finding belongs to; nil for Deptool's own directories.
    package var app: AppName?
    package var finding: Finding

    package init(_ app: AppName?, _ finding: Finding) {
        self.app = app
        self.finding = finding
    }

    /// The largest number of findings that a host reports.
    package static var maximumFindings: Int { 10_000 }

    /// The largest file, in bytes, whose current content is shown.
    package static var maximumShown: UInt64 { 4 << 20 }

    /// The largest file, in bytes, that is compared when it is found in place of a link.
    package static var maximumHashed: UInt64 { 16 << 30 }

    package indirect enum Finding: Hashable, Sendable {
        /// A file of the app's version has different content, or is no longer a file.
        case file(RelativePath, Found)
        /// An entry that does not belong in the app's version, by its path in it.
        case extra(String)
        /// Mode or owner of a file or directory, by its path on the host or in the app's version (`.` for the version itself).
        case attributes(String, found: Attributes, recorded: Attributes)
        /// A link is missing or replaced; with its recorded target in the app.
        case link(AbsolutePath, RelativePath, Found)
        /// A placed file is missing, changed or replaced; with its source file in the app.
        case placed(AbsolutePath, RelativePath, Found)
        /// The opened content of a sealed file is missing or, if present, differs from the file's.
        case secret(RelativePath, isThere: Bool)
        /// The app's `current` points to no version.
        case current(Found)
        case disabled(UnitName)
        /// A link enables the unit, but the unit's `[Install]` section does not name it.
        case enabledBy(UnitName, AbsolutePath)
        case unwell(UnitName, UnitProblem)
        /// A path on the host that no deploy needs any more, such as the directory of an app that is not in the record.
        case leftover(String)
    }

    /// The object found at a path.
    package indirect enum Found: Hashable, Sendable {
        case nothing
        /// A regular file: the blob id of its content, and its size in bytes.
        case file(ObjectID, size: UInt64)
        case symlink(to: String)
        case directory
        case other

        @inline(never) package static func == (a: Self, b: Self) -> Bool {
            switch (a, b) {
            case (.nothing, .nothing), (.directory, .directory), (.other, .other): true
            case (.file(let a, let size), .file(let b, let other)): a == b && size == other
            case (.symlink(let a), .symlink(let b)): isSameText(a, b)
            default: false
            }
        }
    }

    /// Permission bits and owner.
    package struct Attributes: Hashable, Sendable {
        package var mode: UInt32
        package var uid: UInt32
        package var gid: UInt32

        package init(mode: UInt32, uid: UInt32, gid: UInt32) {
            self.mode = mode
            self.uid = uid
            self.gid = gid
        }
    }
}

/// An app whose files only root can read, and the group if there is one.
package struct PrivateApp: Hashable, Sendable {
    package var app: AppName
    package var group: GroupName?

    package init(_ app: AppName, group: GroupName?) {
        self.app = app
        self.group = group
    }
}

/// The reason why a unit is considered unhealthy, with its properties from `systemctl show`.
package indirect enum UnitProblem: Hashable, Sendable {
    /// The unit does not exist, cannot be read, or is masked (LoadState).
    case notLoaded(state: String)
    /// The unit failed (Result, ExecMainStatus).
    case failed(result: String, status: Int)
    /// The unit exited although it should keep running.
    case exited(status: Int)
    /// The unit restarted while it was watched, or is waiting for its restart.
    case restarting(times: Int)
    /// The unit was not up, or not stopped, when its timeout ended (ActiveState, SubState).
    case tooSlow(state: String, seconds: Int)
    /// The unit went down with another one and did not come up again (ActiveState).
    case draggedDown(with: UnitName, state: String)
    /// systemd stopped the unit because a conflicting unit came up.
    case conflict(with: UnitName)
    /// The unit has to be started or stopped, but sets RefuseManualStart= or RefuseManualStop=.
    case refusesStart, refusesStop
    /// The unit has to read its files again, and has no means to do so (CanReload).
    case cannotReload
    /// A reload failed (ReloadResult).
    case reloadFailed(result: String)
    /// The unit ended or restarted instead of reading its files again.
    case replaced
    /// A unit that is to test others is no oneshot, and so has no result.
    case notOneshot
}
