import Model

/// An app made of files of a host.
package struct ImportedApp: Hashable, Sendable {
    package var name: AppName
    package var files: [FoundFile]
    package var leftOut: [LeftOut]

    package init(_ name: AppName, files: [FoundFile] = [], leftOut: [LeftOut] = []) {
        (self.name, self.files, self.leftOut) = (name, files, leftOut)
    }

    /// Groups the selected files into apps, ordered by name.
    package static func grouped(_ selection: Selection) -> [ImportedApp] {
        let lost = selection.leftOut.map { ($0, place(of: $0)) }
        let grouping = Grouping(selection.files.map(\.path) + lost.compactMap(\.1), selection.environment)
        var apps: [AppName: ImportedApp] = [:]
        for file in selection.files { apps[grouping.app(of: file), default: ImportedApp(grouping.app(of: file))].files.append(file) }
        for (file, path) in lost {
            let app = path.map { grouping.app(of: $0) } ?? Grouping.rest
            apps[app, default: ImportedApp(app)].leftOut.append(file)
        }
        return apps.values.sorted { $0.name < $1.name }
    }

    /// Where it belongs, as far as its name can be read.
    private static func place(of file: LeftOut) -> AbsolutePath? {
        if file.reason == .masked { return nil }
        return try? AbsolutePath(String(file.path.map { $0.isASCII && ($0.asciiValue ?? 0) < 0x20 ? "?" : $0 }))
    }

    /// The file whose content the app has for a path: a symlink shares that of its target.
    package func source(of file: FoundFile) -> RelativePath {
        guard let target = file.target, file.directory == nil else { return file.source }
        return files.first { $0.path == target && $0.target == nil }?.source ?? file.source
    }

    /// The files whose content the app has.
    package var stored: [FoundFile] { files.filter { source(of: $0) == $0.source } }

    /// Whether the app is about the unit: has its file or drop-ins for it, is named after it, or is its program's.
    package func concerns(_ unit: UnitName) -> Bool {
        if KnownProgram.named(name.text)?.unit == unit.text || name.text == Grouping.stem(ofUnit: unit.text) { return true }
        let paths = files.map(\.path.text) + leftOut.map(\.path)
        return paths.contains { path in (try? AbsolutePath(path)).map(unit.isSetUp) ?? false }
    }

    /// Drops files that Git or another machine could not have beside the others: names that differ only in case, or in
    /// Unicode's form. Swift's `==` does not distinguish the latter.
    package mutating func dropClashes() {
        var names: [String: String] = [:]
        var kept: [FoundFile] = []
        for file in files {
            let parts = file.source.components
            let prefixes = parts.indices.map { parts[...$0].joined(separator: "/") }
            if let clash = prefixes.first(where: { prefix in names[prefix.lowercased()].map { !isSameText($0, prefix) } ?? false }) {
                leftOut.append(LeftOut(file.path.text, .sameName(as: "/" + (names[clash.lowercased()] ?? clash))))
                continue
            }
            for prefix in prefixes { names[prefix.lowercased()] = prefix }
            kept.append(file)
        }
        files = kept
    }

    /// Drops files, and symlinks that share their content.
    package mutating func drop(_ paths: Set<AbsolutePath>, because reason: LeftOut.Reason) {
        let all = paths.union(files.filter { $0.target.map(paths.contains) ?? false && source(of: $0) != $0.source }.map(\.path))
        for file in files where all.contains(file.path) { leftOut.append(LeftOut(file.path.text, reason)) }
        files.removeAll { all.contains($0.path) }
    }

    // MARK: Manifest

    /// `manifest.json`; nil if the app needs none. `content` is that of a file of the app.
    package func manifest(_ survey: HostSurvey, content: (FoundFile) -> [UInt8]?) -> String? {
        var members: [(String, ManifestText)] = []
        let known = KnownProgram.named(name.text)
        let units = self.units(survey, known)
        var systemd: [(String, ManifestText)] = []
        if !units.isEmpty { systemd.append(("units_enabled", .list(units.sorted().map { .text($0.text) }))) }
        if let known, let unit = UnitName(known.unit), survey.isActive(unit), let rules = rules(known, unit, content) {
            systemd.append(("on_change", .object([(unit.text, rules)])))
        }
        if !systemd.isEmpty { members.append(("systemd", .object(systemd))) }
        let others = files.filter { $0.directory == nil }
        let links = others.filter { !$0.isCopy }.map { ($0.path.text, ManifestText.text(source(of: $0).text)) }
        if !links.isEmpty { members.append(("symlinks", .object(links))) }
        let copies = others.filter(\.isCopy).map { ($0.path.text, copy($0)) }
        if !copies.isEmpty { members.append(("copies", .object(copies))) }
        let checks = (known?.checks ?? []).filter { $0.first.map(survey.programs.contains) ?? false }
        if !checks.isEmpty { members.append(("checks", .list(checks.map { .list($0.map { .text($0) }) }))) }
        return members.isEmpty ? nil : ManifestText.object(members).rendered + "\n"
    }

    /// The app's own units that are enabled and run, those of containers that run, and that of a known program.
    private func units(_ survey: HostSurvey, _ known: KnownProgram?) -> [UnitName] {
        let own = Set(files.compactMap { $0.path.below(Layout.unitLinks) }.filter { $0.components.count == 1 }.map(\.text))
        var units = survey.activity.keys.compactMap { UnitName($0) }.filter { unit in
            (own.contains(unit.text) || own.contains(unit.template)) && survey.runs(unit) && UnitKind(unstartable: unit.text) == nil
        }
        // Podman's generator enables them, by their [Install] section.
        let containers = files.filter {
            $0.path.parent == Layout.quadlets && [".container", ".kube", ".pod"].contains(where: $0.path.name.hasSuffix)
        }
        units += containers.compactMap { Quadlet.unit(of: $0.path.name) }.filter { survey.isActive($0) && !units.contains($0) }
        if let known, known.isListed, let unit = UnitName(known.unit), survey.runs(unit), !units.contains(unit) { units.append(unit) }
        return units
    }

    private func rules(_ known: KnownProgram, _ unit: UnitName, _ content: (FoundFile) -> [UInt8]?) -> ManifestText? {
        // A unit file of the host's own may have no means to reload.
        if let own = files.first(where: { $0.path == Layout.unitLinks.appending(name: unit.text) }) {
            let text = String(decoding: content(own) ?? [], as: UTF8.self)
            guard text.contains("ExecReload=") || text.contains("Type=notify-reload") else { return nil }
        }
        let sources = stored.map(\.source)
        let reloads = known.reloads.filter { rule in
            sources.contains { rule.hasSuffix("/") ? $0.below(String(rule.dropLast())) != nil : $0.text == rule }
        }
        // A new file comes with a new link, and so with another manifest.
        return reloads.isEmpty ? nil : .object([("reload", .list((reloads + [Manifest.fileName]).map { .text($0) }))])
    }

    private func copy(_ file: FoundFile) -> ManifestText {
        let source = ManifestText.text(source(of: file).text)
        let access = file.status.access ?? .ordinary
        if access == .ordinary { return source }
        let mode = String(access.mode, radix: 8)
        var members = [("source", source), ("mode", .text(String(repeating: "0", count: max(0, 4 - mode.count)) + mode))]
        if let owner = access.owner { members.append(("owner", .text(owner.text))) }
        if let group = access.group { members.append(("group", .text(group.text))) }
        return .object(members)
    }
}

extension UnitName {
    /// Whether the path is that of its file or of a drop-in for it, or for its template.
    package func isSetUp(by path: AbsolutePath) -> Bool {
        let names = [text, template].flatMap { [$0, $0 + ".d"] }
        return path.below(Layout.unitLinks)?.components.first.map(names.contains) ?? false
    }
}

extension FoundFile {
    /// Whether a symlink would not do: the file is read before `/var` is mounted, by a program that checks owner and mode or that
    /// AppArmor confines, or allows something else than a file of an app.
    var isCopy: Bool {
        if path.isReadInEarlyBoot || Self.copied.contains(where: path.isInside) || path.text.hasPrefix("/etc/cron.") { return true }
        return !status.isLike(isExecutable ? 0o555 : 0o444)
    }

    private static let copied = [
        "aliases", "anacrontab", "apparmor", "apparmor.d", "bind", "chrony", "crontab", "cups", "default", "hosts", "init.d",
        "logrotate.conf",
        "logrotate.d", "network", "nftables.conf", "nftables.d", "nsswitch.conf", "ntpsec", "pam.conf", "pam.d", "postfix", "security",
        "sudoers", "sudoers.d", "unbound",
    ].compactMap { try? AbsolutePath("/etc/" + $0) }
}
