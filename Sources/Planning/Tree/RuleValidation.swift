import Model

extension HostTree {
    /// Checks the rules against the files: each has to match one that is there or was there, and a unit whose file is in
    /// the tree has to be able to reload. `contents` reads a file.
    package func validateRules<Problem: Error>(
        deployed: HostTree?, _ contents: (FileEntry) throws(Problem) -> [UInt8]?
    ) throws(Problem) -> TreeError? {
        let known = apps + (deployed?.apps ?? [])
        for app in apps {
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
        for app in apps {
            for probe in app.manifest.probes {
                guard case .unit(let unit) = probe.target else { continue }
                func problem(_ text: String) -> TreeError {
                    TreeError(host: host, app: app.name, file: Manifest.fileName, .badProbe(text))
                }
                if apps.contains(where: { $0.manifest.units.contains(unit) }) {
                    return problem("'\(unit.text)' keeps running, since an app lists it; a probe needs a oneshot of its own")
                }
                if let file = unitFile(unit), let bytes = try contents(file), UnitFile(bytes).values("Service", "Type").last != "oneshot" {
                    return problem("'\(unit.text)' has no 'Type=oneshot', so that its end would tell nothing")
                }
            }
        }
        return nil
    }

    /// Whether a unit can be reloaded, by its file in the tree and its drop-ins; true if its file is elsewhere.
    private func canReload<Problem: Error>(
        _ unit: UnitName, _ contents: (FileEntry) throws(Problem) -> [UInt8]?
    ) throws(Problem) -> Bool {
        let quadlet = try generatedUnits(contents)[unit]?.file
        guard unit.text.hasSuffix(".service"), let own = unitFile(unit) ?? quadlet else { return true }
        var files = [own]
        for app in apps {
            for file in app.files where file.path != own.path && file.path.below("systemd").map(unit.consists) == true {
                files.append(file)
            }
        }
        var can = false
        for file in files {
            guard let bytes = try contents(file) else { return true }
            let settings = UnitFile(bytes)
            if settings.values("Service", "Type").contains("notify-reload") { can = true }
            // An empty value takes back what was set before.
            for value in settings.values("Service", "ExecReload") { can = !value.isEmpty }
            if !settings.values("Container", "ReloadCmd").isEmpty || !settings.values("Container", "ReloadSignal").isEmpty { can = true }
        }
        return can
    }

}
