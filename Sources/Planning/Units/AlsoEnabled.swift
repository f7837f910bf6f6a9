import Model

/// The `Also=` setting of a unit file's `[Install]` section (systemd.unit(5)): units that systemctl enables and
/// disables along with this one.
struct InstallSection {
    private(set) var also: [UnitName] = []

    /// `unit` is the unit to enable; specifiers in a template's file expand to it. Skips words that are not unit
    /// names: systemctl only warns about them.
    init(_ file: [UInt8], of unit: UnitName) {
        for value in UnitFile(file).values("Install", "Also") {
            for word in value.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
                if let other = UnitName(unit.expanding(String(word))), other != unit, !also.contains(other) { also.append(other) }
            }
        }
    }
}

extension UnitName {
    /// A word of an `[Install]` section of the unit's file, with `%n`, `%N`, `%p` and `%i` expanded as in
    /// systemd.unit(5). Other specifiers depend on the host, and stay.
    fileprivate func expanding(_ word: String) -> String {
        guard word.contains("%") else { return word }
        let name = String(text.prefix(upTo: text.lastIndex(of: ".") ?? text.endIndex))
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        return word.replacing("%n", with: text).replacing("%N", with: name).replacing("%p", with: parts[0])
            .replacing("%i", with: parts.count > 1 ? parts[1] : "").replacing("%%", with: "%")
    }
}

extension HostTree {
    /// The units that are enabled and disabled along with `unit`, by `Also=` in unit files of the apps, directly or
    /// through each other, without those that manifests list. `contents` reads a file.
    func also<Failure: Error>(_ unit: UnitName, _ contents: (FileEntry) throws(Failure) -> [UInt8]?) throws(Failure) -> [UnitName] {
        let listed = Set(apps.flatMap(\.manifest.units))
        var (found, queue) = ([unit], [unit])
        while let next = queue.popLast() {
            guard let file = unitFile(next), let bytes = try contents(file) else { continue }
            for other in InstallSection(bytes, of: next).also where !found.contains(other) {
                found.append(other)
                queue.append(other)
            }
        }
        return found.dropFirst().filter { !listed.contains($0) }.sorted()
    }

    /// The file of a unit, or that of its template.
    func unitFile(_ unit: UnitName) -> FileEntry? {
        for name in [unit.text, unit.template] {
            for app in apps {
                if let path = try? RelativePath("systemd/\(name)"), let file = app.file(path) { return file }
            }
        }
        return nil
    }
}

extension HostPlan {
    /// Records the units that come and go along with those that steps enable and disable. `deployed` is the host's
    /// present tree.
    mutating func noteAlso<Failure: Error>(
        deployed: HostTree?, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) {
        for step in steps {
            switch step.action {
            case .enable(let unit, .new): also[unit] = try wanted.also(unit, contents)
            case .enable(let unit, .refreshed):
                let before = try deployed?.also(unit, contents) ?? []
                also[unit] = try wanted.also(unit, contents).filter { !before.contains($0) }
            case .disable(let unit, _):
                let kept = Set(wanted.apps.flatMap(\.manifest.units))
                also[unit] = try deployed?.also(unit, contents).filter { !kept.contains($0) }
            default: break
            }
        }
        also = also.filter { !$0.value.isEmpty }
    }
}
