import CSystem
import Model
import Wire

/// Enables and disables units so that the links are exactly those that the `[Install]` sections of the listed units name.
extension Transaction {
    /// Enables units. For a unit that was enabled before, removes the links that its section no longer names.
    func enable(_ steps: ArraySlice<Step>) throws(AgentError) {
        guard let systemd else { return }
        var units = steps.compactMap { $0.unit }
        let refreshed = steps.compactMap { step in
            if case .enable(let unit, .refreshed) = step.action { unit } else { nil }
        }
        for link in try EnabledLinks(system: system).snapshot().links where concerns(link, refreshed) {
            try system.remove(link.path)
            // The link may belong to another listed unit as well. Enabling that unit restores it.
            for unit in listedUnits(behind: link) where !units.contains(unit) { units.append(unit) }
        }
        let before = try EnabledLinks(system: system).snapshot()
        try systemd.enable(units)
        for link in try EnabledLinks(system: system).snapshot().links where !before.links.contains(link) { brought.links.append(link) }
    }

    /// Disables units. Other listed units stay enabled, even if an `Also=` names them.
    func disable(_ units: [UnitName], _ journal: Journal) throws(AgentError) {
        guard let systemd, let before = journal.enablement else { return }
        try systemd.disable(units)
        let enablement = EnabledLinks(system: system)
        for link in try enablement.snapshot().links where concerns(link, units) { try system.remove(link.path) }
        // One of the units stays listed if Podman generates it from now on.
        try enablement.restore(
            before.links.filter { link in isUnitFile(link) || listedUnits(behind: link).contains { !units.contains($0) } })
    }

    /// Whether the link enables one of the units, or was made when one of them was enabled.
    private func concerns(_ link: EnabledLinks.Symlink, _ units: [UnitName]) -> Bool {
        if units.contains(where: { link.enables($0) }) { return true }
        return old?.enablement.contains { $0.link.path == link.path && units.contains($0.unit) } ?? false
    }

    /// The listed units that the link enables, or was made for.
    private func listedUnits(behind link: EnabledLinks.Symlink) -> [UnitName] {
        preparation.record.units.map { $0.name }.filter { unit in
            link.enables(unit) || (old?.enablement.contains { $0.link.path == link.path && $0.unit == unit } ?? false)
        }
    }

    /// Whether it links to a unit file. `systemctl disable` removes such links along with its own.
    private func isUnitFile(_ link: EnabledLinks.Symlink) -> Bool {
        link.path.parent == Layout.unitLinks && Layout.isOurs(link.target)
    }

    /// Whether the unit's file has an `Also=` for other units: these may name more, some of them with specifiers.
    private func hasAlso(_ unit: UnitName) throws(AgentError) -> Bool {
        for directory in Layout.unitDirectories {
            guard let name = try? RelativePath(unit.template), case let file = directory.appending(name),
                try system.status(of: file)?.kind == csys_kind_regular
            else { continue }
            for line in pieces((try system.contents(of: file, limit: 1 << 20) ?? [])[...], at: 10) {
                if begins(line, "Also") || begins(line, " Also") || begins(line, "\tAlso") { return true }
            }
        }
        return false
    }

    /// The links that enable the record's units now; nil if the steps did not touch enablement.
    func enabledLinks(_ journal: Journal) throws(AgentError) -> [EnabledLink]? {
        guard journal.enablement != nil else { return nil }
        let enabled = preparation.steps.compactMap { step in if case .enable(let unit, _) = step.action { unit } else { nil } }
        var links: [EnabledLink] = []
        for link in try EnabledLinks(system: system).snapshot().links {
            var owners = listedUnits(behind: link)
            // By an `Also=`, however the file spells it. Links that somebody else made meanwhile are not among them.
            if owners.isEmpty, brought.links.contains(link) {
                for unit in enabled where try hasAlso(unit) { owners.append(unit) }
            }
            for unit in owners { links.append(EnabledLink(unit: unit, link: link)) }
        }
        return links
    }
}

/// The links that enabling units made.
final class BroughtLinks {
    fileprivate var links: [EnabledLinks.Symlink] = []
}
