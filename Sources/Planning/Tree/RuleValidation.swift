import Model

extension HostTree {
    /// Checks the rules of the chosen apps against the files: each has to match one that is there or was there, and a unit
    /// whose file is in the tree has to be able to reload. `contents` reads a file.
    package func validateRules<Failure: Error>(
        of isChosen: (AppName) -> Bool = { _ in true }, deployed: HostTree?, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> TreeError? {
        let known = apps + (deployed?.apps ?? [])
        for app in apps where isChosen(app.name) {
            func problem(_ problem: FormatError) -> TreeError {
                TreeError(host: host, app: app.name, file: Manifest.fileName, .format(problem))
            }
            for one in app.manifest.onChange {
                for rule in one.rules
                where !known.contains(where: { tree in
                    tree.files.contains { rule.match($0.path, of: tree.name, owner: app.name) != nil }
                }) {
                    return problem(.ruleWithoutFile(rule.text, line: rule.line))
                }
                guard let rule = one.rules.first(where: { $0.reaction == .reload }) else { continue }
                if ![".service", ".mount"].contains(where: one.unit.text.hasSuffix) {
                    return problem(.noReload(one.unit, line: rule.line))
                }
                if try !canReload(one.unit, contents) { return problem(.noReload(one.unit, line: rule.line)) }
            }
        }
        return nil
    }

    /// Checks the units that test others for the chosen apps: each has to be a oneshot that nothing else runs. `contents` reads
    /// a file.
    package func validateProbes<Failure: Error>(
        of isChosen: (AppName) -> Bool = { _ in true }, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> TreeError? {
        for app in apps where isChosen(app.name) {
            for health in app.manifest.health {
                guard case .unit(let unit) = health.probe.target else { continue }
                func problem(_ text: String) -> TreeError {
                    TreeError(host: host, app: app.name, file: Manifest.fileName, .format(.badProbe(text, line: health.line)))
                }
                if apps.contains(where: { $0.manifest.units.contains(unit) }) {
                    return problem("'\(unit.text)' is in 'units_enabled', so it keeps running; a probe needs a oneshot that no app enables")
                }
                if let settings = try settings(of: unit, contents), settings.values("Service", "Type").last != "oneshot" {
                    return problem("'\(unit.text)' is not 'Type=oneshot', so it has no result to test")
                }
            }
        }
        return nil
    }

    /// Whether a unit can be reloaded, by its file in the tree and its drop-ins; true if its file is elsewhere.
    private func canReload<Failure: Error>(
        _ unit: UnitName, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> Bool {
        guard unit.text.hasSuffix(".service"), let settings = try settings(of: unit, contents) else { return true }
        // An empty value resets the earlier ones.
        let commands = settings.values("Service", "ExecReload").last ?? ""
        return settings.values("Service", "Type").last == "notify-reload" || !commands.isEmpty
            || ["ReloadCmd", "ReloadSignal"].contains { !settings.values("Container", $0).isEmpty }
    }

    /// The settings of a unit by its file, or quadlet, and then its drop-ins in the order of their names; nil if its file is
    /// elsewhere, or its content is unknown.
    func settings<Failure: Error>(
        of unit: UnitName, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> UnitFile? {
        let quadlet = try generatedUnits(contents)[unit]?.file
        guard let own = unitFile(unit) ?? quadlet else { return nil }
        var dropIns: [FileEntry] = []
        for app in apps {
            for file in app.files where file.path != own.path && file.path.below("systemd").map(unit.consists) == true {
                dropIns.append(file)
            }
        }
        var bytes: [UInt8] = []
        for file in [own] + dropIns.sorted(by: { $0.path.name < $1.path.name }) {
            guard let content = try contents(file) else { return nil }
            bytes += content + [10]
        }
        return UnitFile(bytes)
    }
}
