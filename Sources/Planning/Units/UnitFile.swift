import Model

/// The settings of a unit file, drop-in or quadlet, without comments and blank lines (systemd.syntax(7)).
struct UnitFile {
    struct Setting: Hashable {
        /// Without brackets; empty before the first section.
        var section: String
        var key: String
        /// Bytes: text that looks the same may be another path.
        var value: [UInt8]
    }

    private(set) var settings: [Setting] = []

    /// As systemd reads it: a line ends in a newline, a carriage return or a zero; one that ends in an unescaped backslash
    /// continues in the next, across comments in between.
    init(_ file: [UInt8]) {
        var section = ""
        var line: [UInt8] = []
        let text = file.starts(with: [0xef, 0xbb, 0xbf]) ? file.dropFirst(3) : file[...]
        for piece in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == 10 || $0 == 13 || $0 == 0 }) {
            let start = piece.drop(while: isBlank)
            if start.first == UInt8(ascii: "#") || start.first == UInt8(ascii: ";") { continue }
            line += line.isEmpty ? start : piece
            if start.reversed().prefix(while: { $0 == UInt8(ascii: "\\") }).count % 2 == 1 {
                line[line.count - 1] = UInt8(ascii: " ")
                continue
            }
            add(line, &section)
            line = []
        }
        add(line, &section)
    }

    private mutating func add(_ line: [UInt8], _ section: inout String) {
        let line = trimmed(line[...])
        if line.first == UInt8(ascii: "[") {
            section = String(decoding: line.last == UInt8(ascii: "]") ? line.dropFirst().dropLast() : line, as: UTF8.self)
        } else if !line.isEmpty {
            let equals = line.firstIndex(of: UInt8(ascii: "="))
            settings.append(
                Setting(
                    section: section, key: String(decoding: trimmed(line[..<(equals ?? line.endIndex)]), as: UTF8.self),
                    value: equals.map { Array(trimmed(line[($0 + 1)...])) } ?? []))
        }
    }

    /// The values of a key, in order.
    func values(_ section: String, _ key: String) -> [String] {
        settings.filter { $0.section == section && $0.key == key }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    // MARK: Changes

    /// How a unit picks up a new version of its file. The unit's type is without a dot, such as `service`.
    static func reaction(from old: [UInt8], to new: [UInt8], type: String) -> Reaction {
        // A daemon-reload is enough for these (systemd.path(5), systemd.slice(5)).
        if ["path", "slice"].contains(type) { return .nothing }
        // A target starts newly wanted units only when it is restarted.
        if type == "target" { return UnitFile(old).wanted == UnitFile(new).wanted ? .nothing : .restart }
        let (before, after) = (UnitFile(old).lasting, UnitFile(new).lasting)
        if before == after { return .nothing }
        // A mount takes other options when it is reloaded, which remounts it (systemd.mount(5)).
        let isOptions = { (setting: Setting) in setting.section == "Mount" && setting.key == "Options" }
        return type == "mount" && before.filter { !isOptions($0) } == after.filter { !isOptions($0) } ? .reload : .restart
    }

    /// The units that a unit starts along with itself.
    private var wanted: [Setting] {
        settings.filter { $0.section == "Unit" && ["Wants", "Requires", "Requisite", "BindsTo", "Upholds"].contains($0.key) }
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

private func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes.drop(while: isBlank)
    while let last = bytes.last, isBlank(last) { bytes.removeLast() }
    return bytes
}

/// The reactions of a unit to a changed file, the weakest first.
package enum Reaction: Int, Hashable, Comparable, Sendable {
    case nothing, reload, restart

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
