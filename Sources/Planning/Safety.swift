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

    /// Places that decide who can log in, or whether the host can be reached.
    private static let paths = [
        "/etc/ssh", "/etc/pam.d", "/etc/pam.conf", "/etc/security", "/etc/sudoers", "/etc/sudoers.d", "/etc/sudo.conf",
        "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/shells", "/etc/nsswitch.conf", "/etc/login.defs",
        "/etc/sysusers.d", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/network", "/etc/systemd/network", "/etc/netplan",
        "/etc/NetworkManager", "/etc/nftables.conf", "/etc/nftables.d", "/etc/nftables", "/etc/iptables", "/etc/ufw",
        "/etc/firewalld", "/etc/wireguard", "/etc/sysctl.conf", "/etc/sysctl.d", "/root/.ssh",
    ]

    /// Units of the same kind, by the beginning of their names.
    private static let units = [
        "ssh.", "sshd.", "ssh@", "sshd@", "dropbear", "systemd-networkd", "networking.", "network.", "NetworkManager",
        "netplan", "nftables", "iptables", "ip6tables", "netfilter", "ufw.", "firewalld", "fail2ban", "wg-quick@",
        "wireguard", "tailscaled", "openvpn", "systemd-sysusers", "systemd-logind", "nscd.", "sssd.",
        "deptool-",
    ]

    /// That a new login has to work, and what of all this the changes touch; nil when it need not be tried.
    func login(old: [AppTree], new: [AppTree], changes: [AppChange]) -> Step.Confirmation? {
        if `guard` == .never { return nil }
        for change in changes {
            for app in [old.first { $0.name == change.app }, new.first { $0.name == change.app }].compactMap({ $0 }) {
                let changed = change.touched
                // A link shows a changed file, or a directory with changed files; or it comes or goes.
                let sources = app.links.map { ($0.path, $0.source) } + app.placed.map { ($0.path, $0.source) }
                for (path, source) in sources where isDelicate(path) {
                    let shows = changed.contains { $0 == source || $0.below(source.text) != nil }
                    if shows || changed.contains(where: { $0.text == Manifest.fileName }) { return .login(touched: path.text) }
                }
                if let unit = app.manifest.units.first(where: { isDelicate($0.text) }) {
                    return .login(touched: unit.text)
                }
            }
        }
        return `guard` == .always ? .login(touched: nil) : nil
    }

    private func isDelicate(_ path: AbsolutePath) -> Bool {
        if Self.paths.contains(where: { path.text == $0 || path.text.utf8.starts(with: "\($0)/".utf8) }) { return true }
        // A unit's file, or a drop-in of it.
        for directory in LinkDirectory.all where directory.reaction == .daemonReload {
            if let unit = path.below(directory.target) { return isDelicate(unit.text) }
        }
        return path.text.hasSuffix("/.ssh/authorized_keys")
    }

    private func isDelicate(_ unit: String) -> Bool { Self.units.contains { unit.hasPrefix($0) } }
}
