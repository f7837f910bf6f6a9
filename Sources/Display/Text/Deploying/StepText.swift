import Model
import Planning

extension Step.Action {
    var bringsUpUnit: Bool {
        switch self {
        case .enable, .start, .restart, .restartIfUp, .reload: true
        default: false
        }
    }
}

extension Step {
    /// The effect of the step, for the plan; nil if other lines of the plan cover it.
    var phrase: String? {
        switch action {
        // The plan lists the app's files, and always checks out, activates and checks them.
        case .checkout(for: .everybody), .activate, .remove, .check, .enable(_, .refreshed), .test(.sshdBefore): nil
        case .checkout(for: .root): "only root can read it"
        case .grant(let group): "let the group \(group.text) read it"
        case .link(let path, let source): "link \(visible(path.text)) -> \(visible(source.text))"
        case .displace(let path, .file): "keep \(visible(path.text)) as it is in \(Layout.store.text)/kept"
        case .displace(let path, _): "replace \(visible(path.text)), which is not Deptool's"
        case .unlink(let path): "unlink \(visible(path.text))"
        // For a changed file of a directory with a meaning, the file's own line is enough.
        case .place(let path, let source, _, .updated) where path.managed(of: source) != nil: nil
        case .place(let path, let source, let access, _): place(path, source, access)
        case .unplace(let path): "remove " + (path.managed().map { "\($0.noun) \(visible($1.text))" } ?? visible(path.text))
        case .sysusers: "run systemd-sysusers"
        case .tmpfiles: "run systemd-tmpfiles"
        case .test(.sshd): "test what sshd reads when it restarts, and whether that lets you in"
        case .test(.sudo): "test what sudo reads"
        case .test(.nftables): "test what nftables reads when it restarts"
        case .confirm(_, .login(let touched?)): "keep it only if a new login works (\(visible(touched)) is touched)"
        case .confirm(_, .login(nil)): "keep it only if a new login works"
        case .confirm(_, .program): "keep it only if every host succeeds and your confirmation program agrees"
        case .confirm(_, .everyHost): "keep it only if every host succeeds"
        case .disable(let unit, _): "stop and disable unit \(unit.text)"
        case .daemonReload: "reload systemd"
        case .enable(let unit, .new): "enable unit \(unit.text)"
        case .start(let unit, .leave, _): "start unit \(unit.text)"
        case .start(let unit, .restart, _): "start unit \(unit.text) (restart it if it runs with other files)"
        case .restart(let unit, let because, _):
            "restart unit \(unit.text)\(unit.text.hasSuffix(".socket") ? " and its service" : "") (\(because.phrase))"
        case .restartIfUp(let unit, let because, _): "restart unit \(unit.text) if it runs (\(because.phrase))"
        case .reload(let unit, let because, .start, _): "reload unit \(unit.text) (\(because.phrase))"
        case .reload(let unit, let because, .leave, _): "reload unit \(unit.text) if it runs (\(because.phrase))"
        case .stop(let unit, _): "stop unit \(unit.text)"
        case .validate(let arguments, _):
            if let needed = Requirement.parse(arguments) {
                "require \(visible(needed.map(\.phrase).joined(separator: ", "))) before anything changes"
            } else {
                "check \(visible(OptionalCheck.command(arguments).joined(separator: " "))) before anything changes"
            }
        case .unseal(0): "remove the unsealed secrets"
        case .unseal(let files): "unseal \(count(files, "secret"))"
        case .probe(let probe): "probe \(probe.phrase)"
        }
    }

    /// In place of a phrase with words of the manifest that may be secret.
    var publicPhrase: String? {
        switch action {
        case .validate: "run a check before anything changes"
        case .probe: "ask whether it answers"
        default: nil
        }
    }

    private func place(_ path: AbsolutePath, _ source: RelativePath, _ access: FileAccess) -> String {
        if let (directory, name) = path.managed(of: source) { return "place \(directory.noun) \(visible(name.text))" }
        return "copy \(visible(source.text)) to \(visible(path.text))" + (access == .ordinary ? "" : " (\(access.text))")
    }

    /// The present action, for the host's progress line.
    package var progress: String {
        switch action {
        // Too quick to name each file.
        case .checkout, .activate, .remove, .displace, .link, .unlink, .place, .unplace, .grant: "changing files and links"
        case .test: "testing files"
        case .confirm(_, .login): "trying a new login"
        case .confirm(_, .program): "waiting for the other hosts and your confirmation program"
        case .confirm(_, .everyHost): "waiting for the other hosts"
        case .sysusers: "creating users"
        case .tmpfiles: "creating temporary files"
        case .disable(let unit, _): "stopping \(unit.text)"
        case .daemonReload: "reloading systemd"
        case .enable(let unit, _): "enabling \(unit.text)"
        case .start(let unit, _, _): "starting \(unit.text)"
        case .restart(let unit, _, _), .restartIfUp(let unit, _, _): "restarting \(unit.text)"
        case .reload(let unit, _, _, _): "reloading \(unit.text)"
        case .stop(let unit, _): "stopping \(unit.text)"
        case .validate: "checking the files"
        case .unseal: "unsealing secrets"
        case .probe(let probe): "probing \(probe.phrase)"
        case .check(let unit, _, _): "checking \(unit.text)"
        }
    }
}

extension Step.Reason {
    var phrase: String {
        isAsked ? "asked for" : visible(path.text) + (others == 0 ? " changed" : " and \(count(others, "other file")) changed")
    }
}
