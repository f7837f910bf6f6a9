import Model

/// A probe, and the app whose service it asks.
package struct AppProbe: Hashable, Sendable {
    package var app: AppName
    package var probe: Probe

    package init(_ app: AppName, _ probe: Probe) { (self.app, self.probe) = (app, probe) }
}

extension HostPlan {
    /// Records the units that the plan starts for the first time, or with another unit file, and that are called up as soon as
    /// their process runs: their apps have no probe and no `settle`.
    mutating func noteUnjudged<Failure: Error>(_ contents: (FileEntry) throws(Failure) -> [UInt8]?) throws(Failure) {
        let enabled = Set(steps.compactMap { if case .enable(let unit, _) = $0.action { unit } else { nil } })
        for step in steps {
            let unit: UnitName
            switch step.action {
            case .start(let started, _, _): unit = started
            case .restart(let restarted, _, _) where enabled.contains(restarted): unit = restarted
            default: continue
            }
            guard let app = wanted.apps.first(where: { $0.manifest.units.contains(unit) }), app.manifest.probes.isEmpty,
                app.manifest.settle == nil, try wanted.isUpWhenRunning(unit, contents)
            else { continue }
            unjudged.append(unit)
        }
        unjudged.sort()
    }

    mutating func noteFormerProbes(deployed: [AppTree]) {
        let acting = Set(steps.compactMap { $0.action.actsOn == nil ? nil : $0.app })
        formerProbes = deployed.filter { acting.contains($0.name) }.probes
    }
}

extension [AppTree] {
    /// The probes of all apps.
    package var probes: [AppProbe] { flatMap { app in app.manifest.probes.map { AppProbe(app.name, $0) } } }
}

extension HostTree {
    /// Whether systemd takes the unit for ready once its process runs (systemd.service(5), `Type=`). False if its file is
    /// elsewhere.
    fileprivate func isUpWhenRunning<Failure: Error>(
        _ unit: UnitName, _ contents: (FileEntry) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> Bool {
        guard unit.text.hasSuffix(".service"), let settings = try settings(of: unit, contents) else { return false }
        if let quadlet = try generatedUnits(contents)[unit]?.file {
            // Podman itself reports a container's start (podman-systemd.unit(5), `Notify=`).
            let notify = settings.values("Container", "Notify").last ?? ""
            return quadlet.path.name.hasSuffix(".container") && !["1", "yes", "true", "on", "healthy"].contains(notify.lowercased())
                && settings.values("Service", "Type").last != "oneshot"
        }
        switch settings.values("Service", "Type").last ?? "" {
        case "simple", "exec", "idle": return true
        case "":
            return settings.values("Service", "BusName").last == nil && settings.values("Service", "ExecStart").contains { !$0.isEmpty }
        default: return false
        }
    }
}
