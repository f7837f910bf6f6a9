import Model

/// The conditions for a host to keep its new state.
package struct Safety: Hashable, Sendable {
    /// When to require that a new login works before a host keeps its new state.
    package enum Guard: String, Hashable, Sendable, CaseIterable {
        /// When the plan touches files or units that the login depends on.
        case auto
        case always, never
    }

    package var `guard`: Guard
    /// Whether all hosts keep their new state or none does.
    package var isAtomic: Bool
    /// Whether the apps' checks run.
    package var runsChecks: Bool

    package init(guard: Guard = .auto, isAtomic: Bool = false, runsChecks: Bool = true) {
        self.guard = `guard`
        self.isAtomic = isAtomic
        self.runsChecks = runsChecks
    }

    /// How long a host waits for confirmation that a new login works.
    static let confirmTimeout = Duration.seconds(45)
    /// How long a host waits for the other hosts.
    static let otherHostsTimeout = Duration.seconds(600)
    /// How long a program of the operator may take to confirm.
    package static let programTimeout = Duration.seconds(300)

    /// Paths that affect logins or the host's reachability, with the units (by name prefix) that read them at start.
    /// Without units, each login or the deploy itself reads them.
    private static let places: [(paths: [String], readers: [String])] = [
        (["/etc/ssh"], ["ssh.", "sshd."]),
        (["/etc/nftables.conf", "/etc/nftables.d", "/etc/nftables"], ["nftables."]),
        (["/etc/network"], ["networking.", "network."]),
        (["/etc/systemd/network"], ["systemd-networkd."]),
        (["/etc/netplan"], ["netplan", "systemd-networkd."]),
        (["/etc/NetworkManager"], ["NetworkManager."]),
        (["/etc/iptables"], ["iptables", "ip6tables", "netfilter"]),
        (["/etc/ufw"], ["ufw."]),
        (["/etc/firewalld"], ["firewalld."]),
        (["/etc/wireguard"], ["wg-quick@", "wireguard"]),
        (["/etc/sysctl.conf", "/etc/sysctl.d"], ["systemd-sysctl."]),
        (
            [
                "/etc/pam.d", "/etc/pam.conf", "/etc/security", "/etc/sudoers", "/etc/sudoers.d", "/etc/sudo.conf", "/etc/passwd",
                "/etc/group", "/etc/shadow", "/etc/shells", "/etc/nsswitch.conf", "/etc/login.defs", "/etc/sysusers.d",
                "/etc/hosts.allow", "/etc/hosts.deny", "/root/.ssh",
            ], []
        ),
    ]

    /// Units with the same effects, by name prefix.
    private static let units = [
        "ssh.", "sshd.", "ssh@", "sshd@", "dropbear", "systemd-networkd", "networking.", "network.", "NetworkManager",
        "netplan", "nftables", "iptables", "ip6tables", "netfilter", "ufw.", "firewalld", "fail2ban", "wg-quick@",
        "wireguard", "tailscaled", "openvpn", "systemd-sysusers", "systemd-logind", "nscd.", "sssd.",
        "deptool-",
    ]

    /// Adds the tests and the confirmation to the steps if the changes touch any of these. Returns the paths that
    /// neither of them verifies.
    func guardSteps(_ steps: inout [Step], old: [AppTree], new: [AppTree], changes: [AppChange]) -> [AbsolutePath] {
        if `guard` == .never { return [] }
        let paths = touchedPaths(by: steps, old: old, new: new, changes: changes)
        let units = steps.compactMap(\.action.changedUnit)
        let touched = paths.first?.path.text ?? units.first { isDelicate($0.text) }?.text
        guard touched != nil || `guard` == .always else { return [] }
        // A unit that the plan restarts already uses its new files when the login is tried.
        let later = paths.filter { touched in
            guard let readers = readers(of: touched.path) else { return false }
            return !steps.contains { step in
                guard let unit = step.startedUnit(withFilesOf: touched.app) else { return false }
                return readers.contains(where: unit.text.hasPrefix)
            }
        }.map(\.path)
        let tests = Step.Test.allCases.filter { test in (test == .sudo ? paths.map(\.path) : later).contains { $0.isTested(by: test) } }
        if tests.contains(.sshdBefore) {
            let first = steps.firstIndex { if case .checkout = $0.action { false } else { true } } ?? steps.endIndex
            steps.insert(Step(nil, .test(.sshdBefore)), at: first)
        }
        steps += tests.filter { $0 != .sshdBefore }.map { Step(nil, .test($0)) }
        steps.append(Step(nil, .confirm(within: Self.confirmTimeout, because: .login(touched: touched))))
        return later.filter { !$0.isSSHDConfiguration }
    }

    /// The delicate paths that the steps make or remove, that lead to changed files by an old or new link, or whose
    /// readers change. Ordered, with the app that changes each.
    private func touchedPaths(
        by steps: [Step], old: [AppTree], new: [AppTree], changes: [AppChange]
    ) -> [(path: AbsolutePath, app: AppName?)] {
        var paths: [AbsolutePath: AppName?] = [:]
        for step in steps { if let path = step.action.path { paths.updateValue(step.app, forKey: path) } }
        for change in changes {
            let versions = (old + new).filter { $0.name == change.app }
            // A link may lead to a directory, a placed file has a single source.
            let touched = change.touched
            let files = Set(touched)
            let hasOtherReaders = versions.count == 2 && versions[0].manifest.readers != versions[1].manifest.readers
            for app in versions {
                for link in app.links
                where hasOtherReaders || touched.contains(where: { $0 == link.source || $0.below(link.source.text) != nil }) {
                    paths.updateValue(change.app, forKey: link.path)
                }
                for file in app.placed where hasOtherReaders || files.contains(file.source) {
                    paths.updateValue(change.app, forKey: file.path)
                }
            }
        }
        return paths.filter { isDelicate($0.key) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func isDelicate(_ path: AbsolutePath) -> Bool {
        Self.places.contains { $0.paths.contains(where: path.isAtOrBelow) } || path.text.hasSuffix("/.ssh/authorized_keys")
            || path.unit.map(isDelicate) ?? false
    }

    private func isDelicate(_ unit: String) -> Bool { Self.units.contains { unit.hasPrefix($0) } }

    /// The units that read a path when they start, by name prefix; nil if each login reads it.
    private func readers(of path: AbsolutePath) -> [String]? {
        if let unit = path.unit {
            let name = unit.split(separator: "/").first.map(String.init) ?? unit
            // An instance belongs to its template, and a drop-in to its unit.
            return [String(name.prefix { $0 != "@" }).replacing(/\.d$/, with: "")]
        }
        // Only udev reads it, when it finds the device.
        if path.text.hasSuffix(".link") { return [] }
        let readers = Self.places.first { $0.paths.contains(where: path.isAtOrBelow) }?.readers ?? []
        return readers.isEmpty || path.isUnreadAtStart ? nil : readers
    }
}

extension AbsolutePath {
    fileprivate func isAtOrBelow(_ path: String) -> Bool { text == path || text.utf8.starts(with: "\(path)/".utf8) }

    /// The part below a directory of units: a unit file or a drop-in.
    fileprivate var unit: String? {
        for directory in PlacedDirectory.all where directory.effect == .daemonReload {
            if let unit = below(directory.target) { return unit.text }
        }
        return nil
    }

    /// Paths in `/etc/ssh` that only clients or individual logins read. sshd may read any other at start, depending
    /// on its configuration.
    fileprivate var isUnreadAtStart: Bool {
        text == "/etc/ssh/moduli" || ["/etc/ssh/ssh_config", "/etc/ssh/ssh_known_hosts"].contains(where: text.hasPrefix)
    }

    /// Files whose content is in the output of `sshd -T`. For others it prints only the paths.
    fileprivate var isSSHDConfiguration: Bool { text == "/etc/ssh" || text.hasPrefix("/etc/ssh/sshd_config") }

    fileprivate func isTested(by test: Step.Test) -> Bool {
        switch test {
        case .sshdBefore, .sshd: isAtOrBelow("/etc/ssh") && !isUnreadAtStart && !text.hasPrefix("/etc/ssh/ssh_host_")
        case .sudo: isAtOrBelow("/etc/sudoers") || isAtOrBelow("/etc/sudoers.d")
        case .nftables: ["/etc/nftables.conf", "/etc/nftables.d", "/etc/nftables"].contains(where: isAtOrBelow)
        }
    }
}

extension Step.Action {
    /// The unit that the step starts, stops or enables.
    fileprivate var changedUnit: UnitName? {
        switch self {
        case .disable(let unit, _), .enable(let unit, _), .start(let unit, _, _), .restart(let unit, _, _), .restartIfUp(let unit, _, _),
            .reload(let unit, _, _, _), .stop(let unit, _):
            unit
        default: nil
        }
    }
}

extension Step {
    /// The unit that runs with the app's new files after the step. A unit that keeps running because its own app
    /// merely adopts it still has the old files of other apps.
    fileprivate func startedUnit(withFilesOf app: AppName?) -> UnitName? {
        switch action {
        case .start(let unit, .restart, _) where self.app == app: unit
        case .restart(let unit, _, _), .reload(let unit, _, .start, _): unit
        default: nil
        }
    }
}

extension Step.Action {
    /// The test that the step runs.
    package var test: Step.Test? { if case .test(let test) = self { test } else { nil } }
}
