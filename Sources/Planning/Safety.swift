import Model

/// What has to be sure before a host keeps its new state.
public struct Safety: Hashable, Sendable {
    /// When a host keeps its new state only after a new login has worked.
    public enum Guard: String, Hashable, Sendable, CaseIterable {
        /// When the plan touches what the login depends on.
        case auto
        case always, never
    }

    public var `guard`: Guard
    /// Whether all hosts keep their new state or none does.
    public var isAtomic: Bool

    public init(guard: Guard = .auto, isAtomic: Bool = false) {
        self.guard = `guard`
        self.isAtomic = isAtomic
    }

    /// How long a host waits for the word that a new login works.
    static let patience = Duration.seconds(45)
    /// How long a host waits for all others.
    static let patienceForOthers = Duration.seconds(600)

    /// Places that decide who can log in, or whether the host can be reached, by the units (the beginnings of their names) that
    /// read them when they start. Without any, each login reads them, or the deploy itself does.
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

    /// Units of the same kind, by the beginning of their names.
    private static let units = [
        "ssh.", "sshd.", "ssh@", "sshd@", "dropbear", "systemd-networkd", "networking.", "network.", "NetworkManager",
        "netplan", "nftables", "iptables", "ip6tables", "netfilter", "ufw.", "firewalld", "fail2ban", "wg-quick@",
        "wireguard", "tailscaled", "openvpn", "systemd-sysusers", "systemd-logind", "nscd.", "sssd.",
        "deptool-",
    ]

    /// Adds the tests and the confirmation to the steps if the changes touch any of this. Returns what neither proves.
    func guardSteps(_ steps: inout [Step], old: [AppTree], new: [AppTree], changes: [AppChange]) -> [AbsolutePath] {
        if `guard` == .never { return [] }
        let paths = touchedPaths(steps, old + new, changes)
        let units = steps.compactMap(\.action.changedUnit)
        let touched = paths.first?.text ?? units.first { isDelicate($0.text) }?.text
        guard touched != nil || `guard` == .always else { return [] }
        // A program that the plan restarts runs with its new files when the login is tried.
        let restarted = steps.compactMap(\.action.startedUnit)
        let later = paths.filter { path in
            guard let readers = readers(of: path) else { return false }
            return !restarted.contains { unit in readers.contains(where: unit.text.hasPrefix) }
        }
        let tests = Step.Test.allCases.filter { test in (test == .sudo ? paths : later).contains { $0.isTested(by: test) } }
        if tests.contains(.sshdBefore) {
            let first = steps.firstIndex { if case .checkout = $0.action { false } else { true } } ?? steps.endIndex
            steps.insert(Step(nil, .test(.sshdBefore)), at: first)
        }
        steps += tests.filter { $0 != .sshdBefore }.map { Step(nil, .test($0)) }
        steps.append(Step(nil, .confirm(within: Self.patience, because: .login(touched: touched))))
        return later.filter { !$0.isTested(by: .sshd) }
    }

    /// What the steps make or remove of all this, and what an old or new link shows of the changed files. Ordered.
    private func touchedPaths(_ steps: [Step], _ apps: [AppTree], _ changes: [AppChange]) -> [AbsolutePath] {
        var paths = Set(steps.compactMap(\.action.path))
        for change in changes {
            for app in apps where app.name == change.app {
                for (path, source) in app.links.map({ ($0.path, $0.source) }) + app.placed.map({ ($0.path, $0.source) })
                where change.touched.contains(where: { $0 == source || $0.below(source.text) != nil }) { paths.insert(path) }
            }
        }
        return paths.filter(isDelicate).sorted()
    }

    private func isDelicate(_ path: AbsolutePath) -> Bool {
        Self.places.contains { $0.paths.contains(where: path.isAtOrBelow) } || path.text.hasSuffix("/.ssh/authorized_keys")
            || path.unit.map(isDelicate) ?? false
    }

    private func isDelicate(_ unit: String) -> Bool { Self.units.contains { unit.hasPrefix($0) } }

    /// The units that read a path when they start, by the beginnings of their names; nil where each login reads it.
    private func readers(of path: AbsolutePath) -> [String]? {
        if let unit = path.unit {
            let name = unit.split(separator: "/").first.map(String.init) ?? unit
            // An instance is of its template, and a drop-in of its unit.
            return [String(name.prefix { $0 != "@" }).replacing(/\.d$/, with: "")]
        }
        let readers = Self.places.first { $0.paths.contains(where: path.isAtOrBelow) }?.readers ?? []
        // Of the rest in there, sshd reads at a login what it is told to.
        let isRead = path.text == "/etc/ssh" || path.isTested(by: .sshd) || !path.text.hasPrefix("/etc/ssh/") || path.isHostKey
        return readers.isEmpty || !isRead ? nil : readers
    }
}

extension AbsolutePath {
    fileprivate func isAtOrBelow(_ path: String) -> Bool { text == path || text.utf8.starts(with: "\(path)/".utf8) }

    /// Below a directory of units: a unit's file, or a drop-in of it.
    fileprivate var unit: String? {
        for directory in LinkDirectory.all where directory.reaction == .daemonReload {
            if let unit = below(directory.target) { return unit.text }
        }
        return nil
    }

    fileprivate var isHostKey: Bool { text.hasPrefix("/etc/ssh/ssh_host_") }

    fileprivate func isTested(by test: Step.Test) -> Bool {
        switch test {
        case .sshdBefore, .sshd: text == "/etc/ssh" || text.hasPrefix("/etc/ssh/sshd_config")
        case .sudo: isAtOrBelow("/etc/sudoers") || isAtOrBelow("/etc/sudoers.d")
        case .nftables: ["/etc/nftables.conf", "/etc/nftables.d", "/etc/nftables"].contains(where: isAtOrBelow)
        }
    }
}

extension Step.Action {
    /// The unit that the step starts, stops or enables.
    fileprivate var changedUnit: UnitName? {
        switch self {
        case .disable(let unit, _), .enable(let unit, _), .start(let unit, _, _), .restart(let unit, _, _): unit
        default: nil
        }
    }

    /// The unit that runs with its new files after the step.
    fileprivate var startedUnit: UnitName? {
        switch self {
        case .start(let unit, .restart, _), .restart(let unit, _, _): unit
        default: nil
        }
    }
}
