import CSystem
import Model
import Wire

/// The files from which Podman's generator makes units when systemd reloads its own (podman-systemd.unit(5)).
struct Quadlets {
    let system: System
    let preparation: Preparation

    /// The quadlets of apps with a new version, without their drop-ins.
    private var paths: [AbsolutePath] {
        var apps: [AppName] = []
        for step in preparation.steps { if case .activate = step.action, let app = step.app { apps.append(app) } }
        var paths: [AbsolutePath] = []
        for file in preparation.record.placed where file.path.isInside(Layout.quadlets) && apps.contains(file.app) {
            for suffix in [".container", ".pod", ".kube", ".volume", ".network", ".image", ".build"]
            where ends(file.path.text, suffix) {
                paths.append(file.path)
            }
        }
        return paths
    }

    private var generator: AbsolutePath? {
        for path in Layout.quadletGenerators where ((try? system.status(of: path)) ?? nil) != nil { return path }
        return nil
    }

    /// Checks before any change that the host has a generator.
    func checkGenerator() throws(AgentError) {
        if !paths.isEmpty, generator == nil { throw AgentError(.noQuadlets) }
    }

    /// Checks after systemd's reload that each quadlet has a unit, whatever its name.
    func checkUnits(_ systemd: Systemd) throws(AgentError) {
        var rest = paths
        guard !rest.isEmpty else { return }
        var units: [UnitName] = []
        for name in try system.list(Layout.generatedUnits) {
            guard let unit = UnitName(name), let source = try source(Layout.generatedUnits.appending(name: name)),
                let index = rest.firstIndex(where: { isSameText($0.text, source) })
            else { continue }
            rest.remove(at: index)
            // A template has only a file.
            if !isSameText(unit.template, name) { units.append(unit) }
        }
        if let path = rest.first { throw AgentError(.noQuadletUnit(path, output: generatorOutput(path, systemd))) }
        let statuses = try systemd.show(units)
        for index in units.indices where !statuses[index].isLoaded {
            throw AgentError(.unit(units[index], .notLoaded(state: statuses[index].loadState), journal: ""))
        }
    }

    /// The quadlet from which a unit was generated.
    private func source(_ path: AbsolutePath) throws(AgentError) -> String? {
        guard try system.status(of: path)?.kind == csys_kind_regular else { return nil }
        let key = "SourcePath=".bytes
        for line in pieces((try system.contents(of: path, limit: 1 << 20) ?? [])[...], at: 10) where begins(line, "SourcePath=") {
            return text(line.dropFirst(key.count))
        }
        return nil
    }

    /// The generator's output about a quadlet.
    private func generatorOutput(_ path: AbsolutePath, _ systemd: Systemd) -> String {
        guard let generator else { return "" }
        var text = ""
        // For example: `converting "web.container": unsupported key`.
        for line in pieces(systemd.output([generator.text, "--dryrun"])[...], at: 10) {
            let parts = pieces(line, at: UInt8(ascii: "\""))
            if parts.count > 1, isSameText(Model.text(parts[1]), path.name) { text += Model.text(line) + "\n" }
        }
        return lastLines(text)
    }
}
