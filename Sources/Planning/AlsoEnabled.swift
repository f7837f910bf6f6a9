import Model

/// What a unit file says in `Also=` of its `[Install]` section (systemd.unit(5)): units that systemctl enables and disables
/// along with this one.
struct InstallSection {
    private(set) var also: [UnitName] = []

    /// `unit` is the one that is enabled, which the specifiers in the file of a template stand for. A line that cannot be the name
    /// of a unit is left out, as systemctl warns of it and goes on.
    init(_ file: [UInt8], of unit: UnitName) {
        var isInstall = false
        // A line goes on after a backslash at its end, comments between the two left out.
        var line = ""
        for piece in String(decoding: file, as: UTF8.self).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let text = piece.trimming(where: { $0 == " " || $0 == "\t" || $0 == "\r" })
            if text.first == "#" || text.first == ";" { continue }
            line += text
            if line.last == "\\" {
                line = line.dropLast() + " "
                continue
            }
            defer { line = "" }
            if line.first == "[" { isInstall = line == "[Install]" }
            guard isInstall, let equals = line.firstIndex(of: "=") else { continue }
            guard line[..<equals].trimming(where: { $0 == " " || $0 == "\t" }) == "Also" else { continue }
            for word in line[line.index(after: equals)...].split(whereSeparator: { $0 == " " || $0 == "\t" }) {
                if let other = UnitName(unit.expanding(String(word))), other != unit, !also.contains(other) { also.append(other) }
            }
        }
    }
}

extension Substring {
    fileprivate func trimming(where isBlank: (Character) -> Bool) -> Substring {
        var text = drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}

extension UnitName {
    /// A word of an `[Install]` section of the unit's file with `%n`, `%N`, `%p` and `%i` as systemd.unit(5) has them. Others
    /// depend on the host, and stay.
    fileprivate func expanding(_ word: String) -> String {
        guard word.contains("%") else { return word }
        let name = String(text.prefix(upTo: text.lastIndex(of: ".") ?? text.endIndex))
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        return word.replacing("%n", with: text).replacing("%N", with: name).replacing("%p", with: parts[0])
            .replacing("%i", with: parts.count > 1 ? parts[1] : "").replacing("%%", with: "%")
    }
}

extension HostTree {
    /// The units that are enabled and disabled along with one, by `Also=` in the files of units that the apps bring, directly and
    /// through each other; without those that are listed. `contents` gives those of a file.
    func also<Problem: Error>(_ unit: UnitName, _ contents: (FileEntry) throws(Problem) -> [UInt8]) throws(Problem) -> [UnitName] {
        let listed = Set(apps.flatMap(\.manifest.units))
        var (found, queue) = ([unit], [unit])
        while let next = queue.popLast() {
            guard let file = unitFile(next) else { continue }
            for other in InstallSection(try contents(file), of: next).also where !found.contains(other) {
                found.append(other)
                queue.append(other)
            }
        }
        return found.dropFirst().filter { !listed.contains($0) }.sorted()
    }

    /// The file of a unit, or that of its template.
    private func unitFile(_ unit: UnitName) -> FileEntry? {
        for name in [unit.text, unit.template] {
            for app in apps {
                if let path = try? RelativePath("systemd/\(name)"), let file = app.file(path) { return file }
            }
        }
        return nil
    }
}

extension HostPlan {
    /// Notes what comes and goes along with the units that steps enable and disable. `deployed` is what the host runs.
    package mutating func noteAlso<Problem: Error>(
        deployed: HostTree?, _ contents: (FileEntry) throws(Problem) -> [UInt8]
    ) throws(Problem) {
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
