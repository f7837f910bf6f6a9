import Model

/// A file in a directory with a meaning that no program reads there, because of its name.
package struct IdleFile: Hashable, Sendable {
    package var directory: PlacedDirectory
    /// Below the directory.
    package var path: RelativePath
    package var remedy: Remedy

    /// How the operator can fix it.
    package enum Remedy: Hashable, Sendable {
        /// Rename it to this.
        case rename(String)
        /// Move it to another directory of the app.
        case directory(String)
        /// Link it from this path, where a program reads it.
        case link(AbsolutePath)
        /// Put it into a drop-in directory for units or quadlets of this type.
        case dropIns(String)
        /// Let systemd make the link.
        case enable
        /// Move it up into the app's directory.
        case up
    }

    package var phrase: String {
        "\(directory.reader) does not read '\(path.text)' in \(directory.target.text); " + advice
            + (directory.placesAll ? "" : "; or give '\(directory.name)/' another name if it is something else")
    }

    private var advice: String {
        switch remedy {
        case .rename(let name): "rename it to '\(name)'"
        case .directory(let name): "put it into the app's '\(name)/' instead"
        case .link(let path): "move it out of '\(directory.name)/' and list '\(path.text)' under 'symlinks' in the manifest"
        case .dropIns(let type):
            "a directory of drop-ins is named after a unit, the beginning of names up to a dash, or a type: "
                + "'web.\(type).d', 'web-.\(type).d' or '\(type).d'"
        case .enable: "list the unit in 'systemd.units_enabled' and name the target in its [Install] section"
        case .up: "move it up into the app's directory, or remove it"
        }
    }

    /// Nil for a file that is read in its place or that a file beside it may refer to, and for a file in a
    /// subdirectory other than a drop-in directory.
    init?(_ path: RelativePath, in directory: PlacedDirectory, of app: AppTree) {
        let parts = path.components
        let links = [".wants", ".requires", ".upholds"]
        let holdsDropIns =
            directory.hasDropIns && parts.count == 2 && (parts[0].hasSuffix(".d") || links.contains(where: parts[0].hasSuffix))
        guard let first = parts.first, parts.count == 1 || holdsDropIns || directory.hasSubdirectories else { return nil }
        if directory.reads(path) || directory.unitFiles == .quadlets && app.hasQuadlet(thatNames: path) { return nil }
        self.directory = directory
        self.path = path
        remedy = .up
        if !isVisible(path.name) { return }
        if let other = PlacedDirectory.all.last(where: { $0.isTold(by: path) }) { remedy = .directory(other.name) }
        guard let own = directory.unitFiles else {
            if let name = directory.names.similar(to: path.name), parts.count == 1 { remedy = .rename(name) }
            return
        }
        if let place = directory.place(of: path) {
            remedy = .link(place)
            for other in PlacedDirectory.all where other.target == place.parent { remedy = .directory(other.name) }
        } else if links.contains(where: first.hasSuffix) {
            remedy = .enable
        } else if own.isDropInDirectory(first) {
            if !path.name.contains(".") { remedy = .rename(path.name + ".conf") }
        } else if remedy == .up, parts.count == 2 || path.name.hasSuffix(".conf") {
            remedy = .dropIns(own == .quadlets ? "container" : "service")
        }
    }
}

extension PlacedDirectory {
    /// The kind of units that its files define or change; nil for none.
    fileprivate var unitFiles: UnitFiles? {
        switch names {
        case .units: .systemd
        case .quadlets: .quadlets
        default: nil
        }
    }

    /// Whether a file with this path belongs into the directory by its name.
    fileprivate func isTold(by path: RelativePath) -> Bool {
        let isDistinct = names == .suffixes([".rules"]) || names == .networks || unitFiles != nil
        return isDistinct && reads(path)
    }

    /// Whether the directory's program reads a file with this path in it.
    func reads(_ path: RelativePath) -> Bool {
        let parts = path.components
        if parts.count == 1 || hasSubdirectories { return names.contain(path.name) }
        let isDropIns =
            unitFiles?.isDropInDirectory(parts[0])
            ?? (names == .networks && PlacedDirectory.Names.networkSuffixes.contains { parts[0].hasSuffix($0 + ".d") })
        return parts.count == 2 && isDropIns && isVisible(path.name) && path.name.hasSuffix(".conf")
    }

    /// The path where another part of systemd or Podman reads a file of this name.
    fileprivate func place(of path: RelativePath) -> AbsolutePath? {
        guard let first = path.components.first else { return nil }
        let file = first.hasSuffix(".d") ? String(first.dropLast(2)) : first
        if path.components.count == 1 || path.name.hasSuffix(".conf") {
            if unitFiles == .systemd, Self.configurations.contains(file) { return try? AbsolutePath("/etc/systemd/" + path.text) }
            if unitFiles == .quadlets, Self.containers.contains(file) { return try? AbsolutePath("/etc/containers/" + path.text) }
        }
        guard path.components.count == 1, unitFiles == .systemd else { return nil }
        for (suffix, place) in Self.places where first.hasSuffix(suffix) { return try? AbsolutePath(place + first) }
        return nil
    }

    /// Files in `/etc/systemd`, each with a drop-in directory.
    private static var configurations: [String] {
        [
            "coredump.conf", "homed.conf", "iocost.conf", "journal-remote.conf", "journal-upload.conf", "journald.conf", "logind.conf",
            "networkd.conf", "oomd.conf", "pstore.conf", "resolved.conf", "sleep.conf", "system.conf", "timesyncd.conf", "user.conf",
        ]
    }

    /// Files in `/etc/containers`.
    private static var containers: [String] { ["containers.conf", "policy.json", "registries.conf", "storage.conf"] }

    private static var places: [(suffix: String, place: String)] {
        [
            (".nspawn", "/etc/systemd/nspawn/"), (".dnssd", "/etc/systemd/dnssd/"), (".preset", "/etc/systemd/system-preset/"),
        ]
    }
}

/// The files that define units, and their drop-ins.
private enum UnitFiles {
    /// systemd.unit(5)
    case systemd
    /// podman-systemd.unit(5)
    case quadlets

    private var suffixes: [String] {
        switch self {
        case .systemd: UnitName.suffixes + [".device"]
        case .quadlets: [".container", ".kube", ".pod", ".volume", ".network", ".image", ".build", ".artifact"]
        }
    }

    /// Scopes have no unit files, but drop-ins.
    private var dropInSuffixes: [String] { self == .systemd ? suffixes + [".scope"] : suffixes }

    func isName(_ text: String) -> Bool { isName(text, suffixes) }

    func isDropInDirectory(_ name: String) -> Bool {
        guard name.hasSuffix(".d") else { return false }
        let unit = String(name.dropLast(2))
        return dropInSuffixes.contains("." + unit) || isName(unit, dropInSuffixes)
    }

    /// At most 255 of the characters that unit names allow, ending in one of the suffixes.
    private func isName(_ text: String, _ suffixes: [String]) -> Bool {
        guard text.utf8.count <= 255, isVisible(text), text.utf8.first != UInt8(ascii: "@") else { return false }
        return suffixes.contains { text.utf8.count > $0.utf8.count && text.hasSuffix($0) }
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: ":-_.\\@".utf8.contains(byte)
                }
            }
    }
}
extension PlacedDirectory.Names {
    fileprivate static var networkSuffixes: [String] { [".network", ".netdev", ".link"] }

    /// Marks of files that editors and package managers leave behind, which logrotate(8) and AppArmor pass over.
    private static var backups: [String] {
        [
            "~", ".bak", ".cfsaved", ".disabled", ".new", ".old", ".orig", ".rhn-cfg-tmp", ".rpmnew", ".rpmorig", ".rpmsave", ".swp",
            ".ucf-dist",
            ".ucf-new", ".ucf-old", ",v",
        ]
    }

    /// Whether the program reads a file of this name.
    fileprivate func contain(_ name: String) -> Bool {
        switch self {
        case .units: UnitFiles.systemd.isName(name)
        case .quadlets: UnitFiles.quadlets.isName(name)
        case .suffixes(let suffixes): isVisible(name) && suffixes.contains(where: name.hasSuffix)
        case .networks: isVisible(name) && Self.networkSuffixes.contains(where: name.hasSuffix)
        case .plain: name.utf8.allSatisfy(Self.isPlain)
        case .noBackups: isVisible(name) && !Self.backups.contains(where: name.hasSuffix) && !name.contains(".dpkg-")
        }
    }

    /// A name like this one that the program reads; nil if none comes to mind.
    fileprivate func similar(to name: String) -> String? {
        switch self {
        case .suffixes(let suffixes): name.contains(".") ? nil : suffixes.first.map { name + $0 }
        case .plain:
            isVisible(name) && name.hasSuffix(".sh")
                ? String(decoding: name.utf8.map { Self.isPlain($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self) : nil
        default: nil
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// Whether programs that read a whole directory read a file of this name.
private func isVisible(_ name: String) -> Bool { name.utf8.first != UInt8(ascii: ".") }

extension AppTree {
    /// Whether the app has a quadlet that usually refers to a file beside it by such a name: `Yaml=` of a `.kube`,
    /// the build context of a `.build`, `EnvironmentFile=` of a container or pod.
    fileprivate func hasQuadlet(thatNames path: RelativePath) -> Bool {
        guard path.components.count == 1 else { return false }
        let name = path.text
        func has(_ suffix: String) -> Bool { files.contains { $0.path.below("quadlets") != nil && $0.path.name.hasSuffix(suffix) } }
        if name.hasSuffix(".yaml") || name.hasSuffix(".yml") { return has(".kube") }
        if name.hasSuffix(".env") { return has(".container") || has(".pod") }
        let build = ["Containerfile", "Dockerfile", ".containerignore", ".dockerignore"]
        return build.contains { name == $0 || name.hasPrefix($0 + ".") || name.hasSuffix("." + $0) } && has(".build")
    }
}
