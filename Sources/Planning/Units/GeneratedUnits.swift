import Model

/// Units that Podman generates from quadlets (podman-systemd.unit(5)). systemd cannot enable them: their own `[Install]`
/// sections decide whether they start at boot.
struct GeneratedUnits: Hashable, Sendable {
    struct Source: Hashable, Sendable {
        var app: AppName
        var file: FileEntry
    }

    fileprivate(set) var sources: [UnitName: Source] = [:]

    /// The quadlet of a unit, or of its template.
    subscript(unit: UnitName) -> Source? { sources[unit] ?? UnitName(unit.template).flatMap { sources[$0] } }
}

extension HostTree {
    /// `contents` reads a file. Without it, a unit's name is that of its quadlet.
    func generatedUnits<Failure: Error>(
        _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> GeneratedUnits {
        var units = GeneratedUnits()
        for app in apps {
            for file in app.files {
                guard let name = file.path.below("quadlets"), name.components.count == 1, let usual = Quadlet.unit(of: name.text) else {
                    continue
                }
                var unit = usual
                if let bytes = try contents(file) {
                    let settings = UnitFile(bytes).settings
                    let own = settings.last { $0.key == "ServiceName" && $0.section != "Service" && $0.section != "Unit" }
                    if let own, let named = UnitName(String(decoding: own.value, as: UTF8.self) + ".service") { unit = named }
                }
                units.sources[unit] = GeneratedUnits.Source(app: app.name, file: file)
            }
        }
        return units
    }
}
