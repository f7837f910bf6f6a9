/// The TOKENS of ssh_config(5), `~` and `${VARIABLE}`, for one host.
struct Tokens {
    private let settings: HostSettings
    private let local: LocalUser

    init(settings: HostSettings, local: LocalUser) {
        self.settings = settings
        self.local = local
    }

    func variable(_ name: String) -> String? { local.environment(name) }

    /// A path with everything expanded; nil if a value is missing.
    func path(_ text: String) -> String? {
        var text = text
        if text == "~" || text.hasPrefix("~/") { text = local.home + text.dropFirst() }
        return expand(text, variables: true, token)
    }

    /// A ProxyCommand with everything expanded; nil if the host or user name could have a meaning to the shell.
    func command(_ text: String) -> String? {
        guard Self.isHarmless(settings.hostName), Self.isHarmless(settings.user) else { return nil }
        return expand(text, variables: false, token)
    }

    private func token(_ letter: Character) -> String? {
        switch letter {
        case "%": "%"
        case "d": local.home
        case "h": settings.hostName
        case "i": String(local.id)
        case "k": settings.hostKeyAlias ?? settings.name.text
        case "L": local.machine.split(separator: ".").first.map(String.init) ?? local.machine
        case "l": local.machine
        case "n": settings.name.text
        case "p": String(settings.port)
        case "r": settings.user
        case "u": local.name
        default: nil
        }
    }

    private func expand(_ text: String, variables: Bool, _ token: (Character) -> String?) -> String? {
        var expanded = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "%" {
                guard let letter = rest.popFirst(), let value = token(letter) else { return nil }
                expanded += value
            } else if variables, character == "$", rest.first == "{" {
                guard let end = rest.firstIndex(of: "}"), let value = variable(String(rest[..<end].dropFirst())) else {
                    return nil
                }
                expanded += value
                rest = rest[rest.index(after: end)...]
            } else {
                expanded.append(character)
            }
        }
        return expanded
    }

    /// Whether a name is safe in a shell command unquoted, and is not an option.
    private static func isHarmless(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix("-")
            && name.utf8.allSatisfy { byte in
                byte > 0x20 && byte < 0x7F && !"'`\"$\\;&<>|(){}*?~#!".utf8.contains(byte)
            }
    }
}

/// One hop of ProxyJump: `[user@]host[:port]`, IPv6 addresses in brackets.
struct JumpHost: Hashable {
    let user: String?
    let host: String
    let port: UInt16?

    /// Nil if the text is not a hop, or could be taken for an option.
    init?(_ text: String) {
        var rest = text[...]
        if rest.hasPrefix("ssh://") { rest = rest.dropFirst(6) }
        if let at = rest.lastIndex(of: "@") {
            user = String(rest[..<at])
            rest = rest[rest.index(after: at)...]
        } else {
            user = nil
        }
        var port: Substring?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = String(rest[..<end].dropFirst())
            rest = rest[rest.index(after: end)...]
            if rest.hasPrefix(":") { port = rest.dropFirst() } else if !rest.isEmpty { return nil }
        } else if let colon = rest.firstIndex(of: ":") {
            host = String(rest[..<colon])
            port = rest[rest.index(after: colon)...]
        } else {
            host = String(rest)
        }
        if let port {
            guard let number = UInt16(port), number > 0 else { return nil }
            self.port = number
        } else {
            self.port = nil
        }
        guard !host.isEmpty, !host.hasPrefix("-"), user.map({ !$0.isEmpty && !$0.hasPrefix("-") }) ?? true else {
            return nil
        }
    }
}
