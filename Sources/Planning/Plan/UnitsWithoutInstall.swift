import Model

extension HostPlan {
    /// Records the enabled units, new or with a changed file, that systemd does not start at boot: their files have no setting in
    /// `[Install]` (systemd.unit(5)). `systemctl enable` succeeds on them.
    mutating func noteWithoutInstall<Failure: Error>(_ contents: (FileEntry) throws(Failure) -> [UInt8]?) throws(Failure) {
        let new = Set(steps.compactMap { if case .enable(let unit, .new) = $0.action { unit } else { nil } })
        let changed = Set(changes.flatMap { change in change.files.map(\.path) })
        for app in wanted.apps where changes.contains(where: { $0.app == app.name }) {
            for unit in app.manifest.units {
                guard let file = wanted.unitFile(unit), new.contains(unit) || changed.contains(file.path),
                    let settings = try wanted.settings(of: unit, contents),
                    !settings.settings.contains(where: { $0.section == "Install" && !$0.value.isEmpty })
                else { continue }
                withoutInstall.append(unit)
            }
        }
        withoutInstall.sort()
    }
}
