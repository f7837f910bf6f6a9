import Model

/// The settings of a unit file, drop-in or quadlet, without comments and blank lines (systemd.syntax(7)).
struct UnitFile {
    struct Setting: Hashable {
        /// Without brackets; empty before the first section.
        var section: String
        var key: String
        var value: String
    }

    private(set) var settings: [Setting] = []

    init(_ file: [UInt8]) {
        var section = ""
        // A backslash at its end continues a line, across comments in between.
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
            if line.first == "[" {
                section = line.last == "]" ? String(line.dropFirst().dropLast()) : line
            } else if !line.isEmpty {
                let equals = line.firstIndex(of: "=")
                settings.append(
                    Setting(
                        section: section, key: String(line[..<(equals ?? line.endIndex)].trimming(where: isBlank)),
                        value: equals.map { String(line[line.index(after: $0)...].trimming(where: isBlank)) } ?? ""))
            }
        }
        // systemd takes what the end of the file cuts off.
        if !line.isEmpty, let equals = line.firstIndex(of: "=") {
            settings.append(
                Setting(
                    section: section, key: String(line[..<equals].trimming(where: isBlank)),
                    value: String(line[line.index(after: equals)...].trimming(where: isBlank))))
        }
    }

    /// The values of a key, in order.
    func values(_ section: String, _ key: String) -> [String] {
        settings.filter { $0.section == section && $0.key == key }.map(\.value)
    }

    // MARK: Changes

    /// What a unit has to do for systemd to act by the new file. The unit's type is without a dot, such as `service`.
    static func reaction(from old: [UInt8], to new: [UInt8], type: String) -> Reaction {
        // Once systemd has reloaded its own files, these act by the new ones (systemd.path(5), systemd.slice(5), systemd.target(5)).
        if ["path", "slice", "target"].contains(type) { return .nothing }
        let (before, after) = (UnitFile(old).lasting, UnitFile(new).lasting)
        if before == after { return .nothing }
        // A mount takes other options when it is reloaded, which remounts it (systemd.mount(5)).
        let isOptions = { (setting: Setting) in setting.section == "Mount" && setting.key == "Options" }
        return type == "mount" && before.filter { !isOptions($0) } == after.filter { !isOptions($0) } ? .reload : .restart
    }

    /// The settings that a running unit keeps until it is started again.
    private var lasting: [Setting] {
        settings.filter { setting in
            if setting.section.hasPrefix("X-") || setting.key.hasPrefix("X-") || setting.section == "Install" { return false }
            return setting.section != "Unit" || !Self.reread.contains(setting.key)
        }
    }

    /// Settings of `[Unit]` that systemd reads again when it reloads its files: texts for people, and relations to other
    /// units, which count when one of them is started or stopped (systemd.unit(5)).
    private static let reread: Set = [
        "Description", "Documentation", "SourcePath", "After", "Before", "Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds",
        "Conflicts", "OnFailure", "OnFailureJobMode", "OnSuccess", "OnSuccessJobMode", "PropagatesReloadTo", "ReloadPropagatedFrom",
        "PropagatesStopTo", "StopPropagatedFrom", "RequiresMountsFor", "WantsMountsFor", "DefaultDependencies", "StopWhenUnneeded",
        "RefuseManualStart", "RefuseManualStop", "AllowIsolate", "IgnoreOnIsolate", "SurviveFinalKillSignal", "CollectMode",
    ]
}

private func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

extension Substring {
    fileprivate func trimming(where isBlank: (Character) -> Bool) -> Substring {
        var text = drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}

/// What a unit does when a file changes, the weakest first.
package enum Reaction: Int, Hashable, Comparable, Sendable {
    case nothing, reload, restart

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
