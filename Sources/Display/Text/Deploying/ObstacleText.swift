import Model
import Planning
import Wire

/// Obstacles on a host.
extension AgentError {
    /// For the host's line.
    static func phrase(of failures: [AgentError], more: Int) -> String {
        guard let first = failures.first, failures.count + more > 1 else { return failures.first?.phrase ?? "" }
        let others = failures.count + more - 1
        return first.phrase + ", and \(count(others, "other obstacle"))"
    }

    /// Each obstacle on a line of its own, with the advice below the obstacles that share it.
    static func explanation(of failures: [AgentError], more: Int) -> String {
        guard failures.count + more > 1 else { return failures.first?.explanation ?? "" }
        var groups: [(advice: String?, problems: [Problem])] = []
        for problem in failures.map(\.problem) {
            let advice = problem.advice(.many)
            if let index = groups.firstIndex(where: { $0.advice == advice }) {
                groups[index].problems.append(problem)
            } else {
                groups.append((advice, [problem]))
            }
        }
        var text = "\(failures.count + more) obstacles:"
        for group in groups {
            for problem in group.problems { text += "\n    " + problem.statement }
            let advice = group.problems.count == 1 ? group.problems[0].advice(.one) : group.advice
            text += advice.map { "\n" + $0 } ?? ""
        }
        return text + (more > 0 ? "\nand \(more) more." : "")
    }
}

extension Problem {
    /// Whether an advice is for one problem or several.
    enum Number {
        case one, many
    }

    /// The obstacle, in one line.
    var statement: String {
        switch self {
        case .occupied(_, .file, let link?): phrase + ", and differs from \(source(link)), which would take its place"
        case .occupied(_, _, let link?): phrase + ", where \(source(link)) would be linked"
        case .occupied(_, _, nil): phrase + ", and is in the way of a link"
        case .otherAccess(let path, let found, let wanted, let link):
            "\(visible(path.text)) is \(found.text) on the host, and would be \(wanted.text) as \(source(link))"
        default: phrase
        }
    }

    /// How to fix it.
    func advice(_ number: Number) -> String? {
        let isOne = number == .one
        switch self {
        case .unit(let unit, .refusesStop, _):
            let units = isOne ? unit.text : "them"
            return "Take \(units) out of \"units_enabled\", or reboot the host after \(isOne ? "its" : "their") configuration has changed."
        case .unit(let unit, .refusesStart, _):
            return
                "Take \(isOne ? unit.text : "them") out of \"units_enabled\", and list \(isOne ? "a unit that starts it" : "units that start them")."
        case .occupied(let path, .file, _?):
            return isOne
                ? "Compare the two. Move \(visible(path.text)) away on the host, or copy its content into the config tree."
                : "Compare each with the config tree. Move them away on the host, or copy their content into the config tree."
        case .occupied(let path, _, _?):
            return isOne
                ? "Move \(visible(path.text)) away on the host, or remove the link from the config tree."
                : "Move them away on the host, or remove the links from the config tree."
        case .occupied(let path, .symlink, nil):
            return
                "Move \(isOne ? visible(path.text) : "them") away on the host, or make \(isOne ? "it a directory" : "them directories"). "
                + "Symlinks on the way to a link are followed where only root can put them."
        case .occupied(let path, _, nil): return "Move \(isOne ? visible(path.text) : "them") away on the host."
        case .noFuture:
            return "A check runs in a copy of the host, made of namespaces and an overlay, which a container may not allow. "
                + "`--no-checks` deploys without checks."
        case .noGroup(let group):
            return "Correct \"group\" in the app's manifest.json, or create the group with "
                + "a line `g \(isOne ? group.text : "GROUP") -` in a file of the app's sysusers directory."
        case .noUser(let user):
            return "Correct \"owner\" in the app's manifest.json, or create the user with "
                + "a line `u \(isOne ? user.text : "USER") -` in a file of the app's sysusers directory."
        case .unitAlias(_, let name):
            return "List \(isOne ? "it as '\(visible(name))'" : "the units by these names") in the app's manifest.json."
        case .placedChanged(let path):
            return "`deptool verify` shows how. Copy the change into the config tree, or undo it: "
                + "`deptool deploy --repair` keeps \(isOne ? visible(path.text) : "such files") in \(Layout.store.text)/kept."
        case .noQuadlets: return "Install Podman 4.4 or later on the host, then deploy again."
        case .fixed(let path, code: 16):
            return "Unmount \(isOne ? visible(path.text) : "them"), or take \(isOne ? "it" : "them") out of the config tree. "
                + "Container software writes the files that it mounts."
        case .fixed(_, code: 30): return "Mount it so that root can write there, or take the files below it out of the config tree."
        case .fixed(let path, code: 1):
            return
                "See `lsattr -d \(isOne ? visible(path.text) : "PATH")` on the host, also for the directory; `chattr -i` or `chattr -a` changes that."
        case .fixed: return nil
        case .otherAccess(let path, let found, let wanted, let link): return keeping(path, found: found, wanted: wanted, link)
        case .extendedAccess(let path, let attribute):
            let program = attribute == "security.capability" ? "setcap -r" : "setfacl -b"
            return "`\(program) \(isOne ? visible(path.text) : "PATH")` on the host removes that; or leave it out of the config tree."
        case .noRoom, .noInodes: return "Make room there, then deploy again."
        default: return nil
        }
    }

    /// How a file keeps its mode and owner.
    private func keeping(_ path: AbsolutePath, found: FileAccess, wanted: FileAccess, _ link: Link) -> String {
        if PlacedDirectory.all.contains(where: { path.isInside($0.target) && link.source.below($0.name) != nil }) {
            return "Such files have \(wanted.text). Give it that on the host."
        }
        // For a link, the config tree decides whether the file is executable.
        let (ordinary, isLink) = (FileAccess(mode: found.mode), wanted.mode & ~0o111 == 0o444 && wanted == FileAccess(mode: wanted.mode))
        if isLink, found == ordinary, found.mode & 0o6006 == 0o004 {
            let sign = found.mode & 0o111 == 0 ? "-" : "+"
            return "`chmod \(sign)x \(link.app.text)/\(visible(link.source.text))` in the config tree keeps that; or change it on the host."
        }
        var line = "\"\(visible(path.text))\": {\"source\": \"\(visible(link.source.text))\", \"mode\": \"\(found.octal)\""
        if let owner = found.owner { line += ", \"owner\": \"\(owner.text)\"" }
        if let group = found.group { line += ", \"group\": \"\(group.text)\"" }
        return "This line in \"copies\" of \(link.app.text)/manifest.json keeps that; or change it on the host:\n    \(line)}"
    }
}

/// The path in the config tree, below the host.
private func source(_ link: Link) -> String { "the config tree's \(link.app.text)/\(visible(link.source.text))" }
