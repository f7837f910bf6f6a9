import Model
import Wire

/// The output of `sshd -T`: how sshd treats one login.
struct SSHDSettings {
    /// By keyword, in lower case.
    private(set) var values: [String: [String]] = [:]

    init(_ printed: [UInt8]) {
        for line in printed.split(separator: 10) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1)
            guard let keyword = words.first else { continue }
            values[String(keyword), default: []].append(words.count == 2 ? String(words[1]) : "")
        }
    }

    func text(_ keyword: String) -> String {
        String((values[keyword].map { "\(keyword) \($0.joined(separator: " "))" } ?? keyword).prefix(200))
    }

    enum Verdict {
        case letsIn, refuses, unknown
    }

    /// The effect of a changed setting on a login that worked before. The login uses a key: only those work without a
    /// prompt.
    func verdict(on keyword: String, _ login: OwnLogin) -> Verdict {
        if Self.harmless.contains(keyword) { return .letsIn }
        let value = values[keyword] ?? []
        switch keyword {
        case "allowusers": return value.isEmpty ? .letsIn : matches(value, login, none: .refuses, some: .letsIn)
        case "denyusers": return matches(value, login, none: .letsIn, some: .refuses)
        case "allowgroups": return value.isEmpty || login.groups.contains { isAmong(value, $0) } ? .letsIn : .refuses
        case "denygroups": return login.groups.contains { isAmong(value, $0) } ? .refuses : .letsIn
        case "permitrootlogin":
            return login.user != "root" || ["yes", "without-password", "prohibit-password"].contains(value.first) ? .letsIn : .refuses
        case "pubkeyauthentication": return value == ["yes"] ? .letsIn : .refuses
        case "refuseconnection": return value == ["no"] ? .letsIn : .refuses
        default: return .unknown
        }
    }

    /// Whether patterns, `USER` or `USER@HOST`, match the login. Unknown if the result depends on a host in any form
    /// but the login's own address, `*` and `?`.
    private func matches(_ patterns: [String], _ login: OwnLogin, none: Verdict, some: Verdict) -> Verdict {
        var verdict = none
        for pattern in patterns {
            let parts = pattern.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            guard glob(parts[0], login.user) else { continue }
            if parts.count == 1 || glob(parts[1], login.address) { return some }
            verdict = .unknown
        }
        return verdict
    }

    private func isAmong(_ patterns: [String], _ name: String) -> Bool { patterns.contains { glob($0[...], name) } }

    private func glob(_ pattern: Substring, _ text: String) -> Bool { HostFilter.matches(text, String(pattern)) }

    /// Settings that do not affect who can log in with a key and run a command without a terminal.
    private static let harmless: Set<String> = [
        "acceptenv", "allowagentforwarding", "allowstreamlocalforwarding", "allowtcpforwarding", "banner", "clientalivecountmax",
        "clientaliveinterval", "compression", "debianbanner", "disableforwarding", "exposeauthinfo", "fingerprinthash", "gatewayports",
        "ipqos", "kbdinteractiveauthentication", "kerberosauthentication", "kerberosorlocalpasswd",
        "kerberosticketcleanup", "loglevel", "logverbose", "passwordauthentication", "permitemptypasswords", "permitlisten",
        "permitopen", "permittty", "permittunnel", "pidfile", "printlastlog", "printmotd",
        "rekeylimit", "streamlocalbindmask", "streamlocalbindunlink", "subsystem", "syslogfacility", "tcpkeepalive",
        "versionaddendum", "x11displayoffset", "x11forwarding", "x11uselocalhost", "xauthlocation",
    ]
}
