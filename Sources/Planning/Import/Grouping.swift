import Model

/// Which app a file of a host belongs to: that of its unit, of the only unit that reads its environment from it, or of its directory
/// in `/etc`.
package struct Grouping {
    /// Apps that have a file outside the shared directories.
    private let primary: Set<String>

    /// Of units that are among the files.
    private let environment: [HostSurvey.EnvironmentFile]

    package init(_ paths: [AbsolutePath], _ environment: [HostSurvey.EnvironmentFile] = []) {
        let files = Set(paths)
        self.environment = environment.filter { files.contains($0.unit) }
        primary = Set(paths.filter { !Self.isShared($0) }.compactMap { Self.name($0, package: nil) })
    }

    package func app(of file: FoundFile) -> AppName {
        let package: String? =
            switch file.origin {
            case .changed(let package), .unchanged(let package): package.isEmpty ? nil : package
            case .own: nil
            }
        return app(of: file.path, package: package)
    }

    package func app(of path: AbsolutePath, package: String? = nil) -> AppName {
        if package == nil, !Self.general.contains(path.text) {
            let readers = Set(environment.filter { $0.unit != path && $0.matches(path) }.map { app(of: $0.unit) })
            if let reader = readers.first, readers.count == 1 { return reader }
        }
        if Self.isShared(path) {
            let stem = Self.stem(path.name)
            if primary.contains(stem), let app = AppName(stem.lowercased()) { return app }
        }
        // A Mac does not distinguish directories by case.
        let name = Self.name(path, package: package)?.lowercased()
        return name.flatMap { $0 == HostOptions.fileName ? nil : AppName($0) } ?? Self.rest
    }

    /// Files right in `/etc` that no package has, and names that no app can have.
    static var rest: AppName {
        guard let name = AppName("system") else { preconditionFailure("it is a name") }
        return name
    }

    private static func name(_ path: AbsolutePath, package: String?) -> String? {
        if let unit = path.below(Layout.unitLinks)?.components.first { return stem(ofUnit: unit) }
        if path.below(Layout.quadlets) != nil { return "containers" }
        guard let parts = path.below(Layout.etc)?.components else { return path.parent?.name }
        guard parts.count > 1 else {
            if parts[0] == "crontab" || parts[0] == "anacrontab" { return "cron" }
            if parts[0] == "nftables.conf" { return "nftables" }
            return package
        }
        // The files of a dozen packages are in these.
        if parts[0].hasPrefix("cron.") { return "cron" }
        return parts[0].hasSuffix(".d") ? String(parts[0].dropLast(2)) : parts[0]
    }

    /// Directories in which each file is that of another program, which it is named after.
    private static func isShared(_ path: AbsolutePath) -> Bool {
        guard let parts = path.below(Layout.etc)?.components, parts.count > 1 else { return false }
        return parts[0].hasPrefix("cron.") || shared.contains(parts[0])
    }

    /// Files that units read, and other programs, too.
    private static let general: Set = ["/etc/environment", "/etc/default/locale", "/etc/locale.conf"]

    private static let shared: Set = [
        "apparmor.d", "default", "init.d", "insserv.conf.d", "logrotate.d", "modprobe.d", "modules-load.d", "pam.d", "profile.d",
        "rsyslog.d", "sudoers.d", "sysctl.d", "sysusers.d", "tmpfiles.d",
    ]

    private static func stem(_ name: String) -> String { name.split(separator: ".").first.map(String.init) ?? name }

    /// The program of `nginx.service`, `worker@.service`, `nginx.service.d` and `shop-.service.d`.
    package static func stem(ofUnit name: String) -> String {
        let unit = name.hasSuffix(".d") ? String(name.dropLast(2)) : name
        let stem = unit.split(separator: "@").first ?? ""
        let plain = stem == unit ? unit.split(separator: ".").dropLast().joined(separator: ".") : String(stem)
        let trimmed = plain.hasSuffix("-") ? String(plain.dropLast()) : plain
        return trimmed.isEmpty ? "systemd" : trimmed
    }
}
