/// Something on a host that is not as its record says, because somebody else changed it.
package struct Drift: Hashable, Sendable {
    /// Whose; nil for what concerns Deptool's own directories.
    package var app: AppName?
    package var finding: Finding

    package init(_ app: AppName?, _ finding: Finding) {
        self.app = app
        self.finding = finding
    }

    /// How many a host tells of at most.
    package static var most: Int { 10_000 }

    /// How large a file may be, in bytes, to be shown as it is now.
    package static var maximumShown: UInt64 { 4 << 20 }

    /// How large a file at the place of a link may be, in bytes, to be compared.
    package static var maximumHashed: UInt64 { 16 << 30 }

    package indirect enum Finding: Hashable, Sendable {
        /// A file of the app's version has another content, or is none any more.
        case file(RelativePath, Found)
        /// Something in the app's version that does not belong there, by its path in it.
        case extra(String)
        /// Mode or owner of a file or directory, by its path in the app's version (`.` for that itself), or on the host.
        case attributes(String, found: Attributes, recorded: Attributes)
        /// A link is not there, or something else is; with what it should point to in the app.
        case link(AbsolutePath, RelativePath, Found)
        /// A placed file is not there, has another content, or something else is there; with the file of the app.
        case placed(AbsolutePath, RelativePath, Found)
        /// The app's `current` points to no version.
        case current(Found)
        case disabled(UnitName)
        /// A link enables the unit that its `[Install]` section does not name.
        case enabledBy(UnitName, AbsolutePath)
        case unwell(UnitName, UnitProblem)
        /// What no deploy needs any more, by its path on the host: also the directory of an app that is not recorded.
        case leftover(String)
    }

    /// What is at a path.
    package indirect enum Found: Hashable, Sendable {
        case nothing
        /// A regular file, its content's blob id, and its size in bytes.
        case file(ObjectID, size: UInt64)
        case symlink(to: String)
        case directory
        case other
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

/// An app of which only root, and perhaps a group, can read the files.
package struct PrivateApp: Hashable, Sendable {
    package var app: AppName
    package var group: GroupName?

    package init(_ app: AppName, group: GroupName?) {
        self.app = app
        self.group = group
    }
}

/// Why a unit was judged to be unwell, with what `systemctl show` says of it.
package indirect enum UnitProblem: Hashable, Sendable {
    /// systemd has no such unit, cannot read it, or it is masked (LoadState).
    case notLoaded(state: String)
    /// It failed (Result, ExecMainStatus).
    case failed(result: String, status: Int)
    /// It ended although it should keep running.
    case exited(status: Int)
    /// It restarted while it was watched, or waits to be restarted.
    case restarting(times: Int)
    /// It was not up when the time to wait was over, or not stopped (ActiveState, SubState).
    case tooSlow(state: String, seconds: Int)
    /// It went down with another, and did not come up again (ActiveState).
    case draggedDown(with: UnitName, state: String)
    /// It was stopped since another came up that conflicts with it.
    case conflict(with: UnitName)
    /// It would have to be started or stopped, and has RefuseManualStart= or RefuseManualStop=.
    case refusesStart, refusesStop
}
