import Model

extension HostTree {
    /// The units of an app, ordered: those that it enables, those of its unit files, and those that Podman generates from its
    /// quadlets. A template means its instances, as `worker@*.service`. `contents` reads a file.
    package func units<Failure: Error>(
        of app: AppTree, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> [String] {
        var names = Set(app.manifest.units.map(\.text))
        for file in app.files {
            guard let name = file.path.below("systemd"), name.components.count == 1, let unit = UnitName(name.text) else { continue }
            names.insert(unit.text)
        }
        for (unit, source) in try generatedUnits(contents).sources where source.app == app.name { names.insert(unit.text) }
        return names.map { $0.replacing("@.", with: "@*.") }.sorted()
    }
}
