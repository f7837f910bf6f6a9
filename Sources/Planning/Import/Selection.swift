import Model

/// Which files of a host an import takes.
package struct Selection: Hashable, Sendable {
    package var files: [FoundFile] = []
    package var leftOut: [LeftOut] = []
    /// Which files the units of the host read.
    package private(set) var environment: [HostSurvey.EnvironmentFile] = []

    /// Files and directories that the operator named, and everything in them.
    package init(_ survey: HostSurvey, below paths: [AbsolutePath], claimed: Set<AbsolutePath>) {
        for entry in survey.entries {
            guard let path = entry.path else {
                leftOut.append(LeftOut(entry.shown, .badName(entry.problem)))
                continue
            }
            guard paths.contains(where: path.isInside) else { continue }
            if claimed.contains(path) { leftOut.append(LeftOut(path.text, .known)) } else { add(entry, path, survey) }
        }
        sort()
    }

    /// All files in `/etc` that were made or changed by hand, judged by packages and names. Without packages, only units can be
    /// recognized.
    package init(_ survey: HostSurvey, claimed: Set<AbsolutePath>) {
        environment = survey.environment
        for entry in survey.entries {
            guard let path = entry.path else {
                leftOut.append(LeftOut(entry.shown, .badName(entry.problem)))
                continue
            }
            guard !claimed.contains(path), !Self.isDebris(path), path.isInside(Layout.etc) else { continue }
            guard survey.hasPackages || path.isInside(Layout.unitLinks) || path.isInside(Layout.quadlets) else { continue }
            switch Self.origin(path, survey) {
            case .unchanged: continue
            case .own where Self.isGenerated(path): continue
            // Debian makes an empty one everywhere.
            case .own where path.text == "/etc/environment" && entry.status.size == 0: continue
            case .own where entry.status.isSymlink:
                if path.isInside(Layout.unitLinks) {
                    if entry.target?.path.text == "/dev/null" { leftOut.append(LeftOut(path.text, .masked)) }
                    // Others are aliases, or enable a package's unit. A unit that is somewhere else is the host's own.
                    guard let target = entry.target, target.status.isFile, target.path.name == path.name,
                        !Self.isPackaged(target.path, survey)
                    else { continue }
                    break
                }
                // Packages make symlinks to their own files.
                guard let target = entry.target, target.status.isFile else { continue }
                guard target.path.isInside(Layout.etc) || target.path.isInside(Layout.root) else { continue }
                if case .unchanged = Self.origin(target.path, survey) { continue }
            case .own, .changed: break
            }
            add(entry, path, survey)
        }
        sort()
    }

    private mutating func sort() {
        files.sort { $0.path < $1.path }
        leftOut.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private mutating func add(_ entry: HostSurvey.Entry, _ path: AbsolutePath, _ survey: HostSurvey) {
        let status = entry.target?.status ?? entry.status
        let file = FoundFile(path: path, target: entry.target?.path, status: status, origin: Self.origin(path, survey))
        if let reason = Self.obstacle(entry, file, survey) { leftOut.append(LeftOut(path.text, reason)) } else { files.append(file) }
    }

    private static func isPackaged(_ path: AbsolutePath, _ survey: HostSurvey) -> Bool {
        // dpkg may list it by its path from before `/lib` was a symlink to `/usr/lib`.
        let old = path.text.hasPrefix("/usr/lib/") ? try? AbsolutePath(String(path.text.dropFirst(4))) : nil
        return [path, old].contains { $0.map { survey.owners[$0] != nil } ?? false }
    }

    private static func origin(_ path: AbsolutePath, _ survey: HostSurvey) -> FoundFile.Origin {
        let sum = survey.sums[path]
        if let conffile = survey.conffiles[path] {
            return sum == conffile.md5 ? .unchanged(package: conffile.package) : .changed(package: conffile.package)
        }
        if let owner = survey.owners[path] { return .unchanged(package: owner) }
        if let sum, survey.pristine.contains(sum) { return .unchanged(package: "") }
        return .own
    }

    private static func obstacle(_ entry: HostSurvey.Entry, _ file: FoundFile, _ survey: HostSurvey) -> LeftOut.Reason? {
        let (path, status) = (file.path, file.status)
        if path.text.split(separator: "/").contains(where: { $0.lowercased() == ".git" || $0 == ".DS_Store" }) { return .gitName }
        if entry.target?.path.isInside(Layout.root) == true { return .deployed }
        if entry.status.isSymlink {
            guard entry.target?.status.isFile == true else { return .symlink }
        } else if !status.isFile {
            return .notAFile
        }
        if survey.mountPoints.contains(path) { return .mountPoint }
        let isPublic = survey.isPublic(path, status) && survey.isPublic(file.target ?? path, status)
        if !isPublic { return .secret(status, name: secretName(path)) }
        if status.size > ImportLimits.file { return .tooLarge(status.size) }
        if let directory = file.directory {
            return status.isLike(directory.mode) ? nil : .placedOtherwise(status, directory)
        }
        return status.access == nil ? .namelessOwner : nil
    }

    private static func secretName(_ path: AbsolutePath) -> String {
        let name = String(
            path.name.utf8.map { byte -> Character in
                let character = Character(Unicode.Scalar(byte))
                return byte < 0x80 && (character.isLetter || character.isNumber || "._-".contains(character)) ? character : "-"
            }.drop { "._-".contains($0) })
        return SecretsDirectory.isName(name) ? name : "secret"
    }

    /// Files that are never taken: Deptool's own, and leftovers of package managers and editors.
    private static func isDebris(_ path: AbsolutePath) -> Bool {
        path.isInside(Layout.root) || [".dpkg-", ".ucf-"].contains(where: path.name.contains) || path.name.hasSuffix("~")
            || path.name.hasPrefix(Layout.unitPrefix)
    }

    /// Files that programs and installers write for themselves, without a package.
    private static func isGenerated(_ path: AbsolutePath) -> Bool {
        generated.contains(where: path.isInside) || path.text.hasPrefix("/etc/ssh/ssh_host_") || path.text.hasPrefix("/etc/pam.d/common-")
    }

    private static let generated = [
        ".pwd.lock", ".updated", "X11/default-display-manager", "adjtime", "aliases.db", "alternatives", "apparmor.d/cache",
        "apparmor.d/local", "ca-certificates.conf", "console-setup", "cups/ppd", "cups/subscriptions.conf", "debian_version",
        "dictionaries-common", "group", "group-", "gshadow", "gshadow-", "hostname", "initramfs-tools/conf.d/resume", "ld.so.cache",
        "letsencrypt/accounts", "letsencrypt/archive", "letsencrypt/csr", "letsencrypt/keys", "letsencrypt/live", "localtime",
        "lvm/archive", "lvm/backup", "lvm/cache", "machine-id", "mailcap", "mtab", "nologin", "passwd", "passwd-",
        "postfix/dynamicmaps.cf", "postfix/main.cf.proto", "postfix/master.cf.proto", "printcap", "python3", "resolv.conf", "runit",
        "security/opasswd", "sgml", "shadow", "shadow-", "shells", "ssl/certs", "subgid", "subgid-", "subuid", "subuid-", "timezone",
        "udev/hwdb.bin", "xml",
    ].compactMap { try? AbsolutePath("/etc/" + $0) }
}

extension HostSurvey.Status {
    /// Mode, owner and group as a manifest has them; nil if the owner or group has no name.
    package var access: FileAccess? {
        guard let user = UserName(owner), let group = GroupName(group), isNamed(owner), isNamed(self.group) else { return nil }
        return FileAccess(
            mode: permissions, owner: owner == "root" ? nil : user, group: self.group == "root" ? nil : group)
    }

    /// The output of stat(1) for an id without a name.
    private func isNamed(_ name: String) -> Bool { name != "UNKNOWN" && !name.utf8.allSatisfy { (0x30...0x39).contains($0) } }

    /// Whether a file of root with this mode, which everybody can read, gives the same access as the found one. This is stricter
    /// than a deploy requires: everybody can also execute the same.
    func isLike(_ other: UInt32) -> Bool {
        guard owner == "root", mode & 0o7000 == 0, mode & 0o111 == other & 0o111, mode & 0o006 == 0o004 else { return false }
        return group == "root" || mode & 0o060 == 0o040
    }
}
