import Model
import Platform

/// Why a cluster directory cannot be imported.
package enum ImportError: Error, Hashable, Sendable {
    /// The cluster directory does not exist.
    case missing(directory: String)
    case notADirectory(String)
    /// A directory of the cluster whose name is not a valid hostname.
    case badHostname(String)
    /// Git accepts no reference with the host's name.
    case unusableHostname(Hostname)
    case badAppName(Hostname, String)
    /// A symlink to a directory where a host's directory should be.
    case symlinkedHost(String)
    /// A symlink that is not followed.
    case link(Place, LinkProblem)
    /// An entry of an app that is neither a file nor a directory.
    case special(Place, SpecialFile)
    case badPath(Place, PathError)
    case notUTF8(Place)
    /// Git cannot store an entry called `.git`.
    case gitDirectory(Place)
    /// Two entries of a directory whose names some file systems take for one.
    case sameName(String, String)
    /// A file in an app's `secrets/` that age did not write.
    case notSealed(Place)
    case secretTooLarge(Place)
    /// A symlink leads a program to a sealed file, which it cannot read.
    case sealedAsPlain(Place)
    case unreadable(path: String, Errno)
    /// The file changed while it was read.
    case changing(Place)
    case store(StoreError)
    /// At least two others.
    case several([ImportError])

    package enum LinkProblem: Hashable, Sendable {
        /// Out of the repository, which is at this path.
        case leaves(String)
        case dangling, loop, git, store, special, tooMany, tooDeep, notUTF8

        package var phrase: String {
            switch self {
            case .leaves(let root): "leads out of \(root)"
            case .dangling: "leads to nothing"
            case .loop: "leads in a circle"
            case .git: "leads into .git"
            case .store: "leads to the store"
            case .special: "leads to something that is neither a file nor a directory"
            case .tooMany: "leads to too many files"
            case .tooDeep: "leads to directories that are too deep"
            case .notUTF8: "leads to a name that is not UTF-8"
            }
        }
    }

    package enum SpecialFile: Hashable, Sendable {
        case symlink, fifo, socket, device
        /// In place of a file.
        case directory

        package var phrase: String {
            switch self {
            case .symlink: "a symlink"
            case .fifo: "a FIFO"
            case .socket: "a socket"
            case .device: "a device"
            case .directory: "a directory"
            }
        }
    }

    /// A file in the cluster directory. Unprintable bytes of the path appear as `\xNN`.
    package struct Place: Hashable, Sendable {
        package var host: Hostname
        /// Nil for the host's own `host.json`.
        package var app: AppName?
        /// Relative to the app's directory, or the host's.
        package var path: String

        /// With the cluster's directory in front, if it is given.
        func phrase(in directory: String) -> String {
            joined(directory, ([host.text] + [app?.text, path].compactMap { $0 }).joined(separator: "/"))
        }
    }

    package var phrase: String { phrase(in: "") }

    /// The problem, for a status line. Paths begin with `directory`, the cluster's directory as the operator typed it.
    package func phrase(in directory: String) -> String {
        func below(_ path: String) -> String { joined(directory, path) }
        return switch self {
        case .missing(let path): "there is no directory \(directory.isEmpty ? path : directory)"
        case .notADirectory(let path): "\(directory.isEmpty ? path : directory) is not a directory"
        case .badHostname(let name): "'\(name)' is not the name of a host"
        case .unusableHostname(let host): "'\(host.text)' cannot be the name of a host"
        case .badAppName(let host, let name): "\(below(host.text)): '\(name)' is not the name of an app"
        case .symlinkedHost(let name): "\(below(name)) is a symlink to a directory"
        case .link(let place, let problem): "\(place.phrase(in: directory)) is a symlink that \(problem.phrase)"
        case .special(let place, let kind): "\(place.phrase(in: directory)) is \(kind.phrase)"
        case .badPath(let place, let problem): "\(place.phrase(in: directory)) cannot be deployed: \(problem.phrase)"
        case .notUTF8(let place): "\(place.phrase(in: directory)) cannot be deployed: its name is not UTF-8"
        case .gitDirectory(let place): "\(place.phrase(in: directory)) cannot be deployed: Git cannot store that name"
        case .sameName(let one, let other): "\(below(one)) and \(other) have names that differ only in case or encoding"
        case .notSealed(let place): "\(place.phrase(in: directory)) is not a sealed file"
        case .sealedAsPlain(let place): "\(place.phrase(in: directory)) leads to a sealed file"
        case .secretTooLarge(let place):
            "\(place.phrase(in: directory)) is larger than a sealed file may be, \(SecretsDirectory.limit >> 20) MiB"
        case .unreadable(let path, let error): "cannot read \(path): \(error.text)"
        case .changing(let place): "\(place.phrase(in: directory)) changed while it was read"
        case .store(let error): error.phrase
        case .several(let problems): problems.map { $0.phrase(in: directory) }.joined(separator: "\n")
        }
    }

    /// The meaning and the remedy.
    package var explanation: String {
        switch self {
        case .missing, .notADirectory:
            "Name the cluster's directory, which holds one directory per host."
        case .badHostname:
            "The cluster's directory holds one directory per host. A host's name has letters, digits, '.', '-' and '_' and starts with a letter or digit; directories that start with '.' are left out."
        case .unusableHostname:
            hostnameRule + " Rename the directory, and set the real name as HostName in ~/.ssh/config."
        case .badAppName:
            "A host's directory holds one directory per app. An app's name has letters, digits, '.', '-', '_', '@' and '+' and starts with a letter, digit or '_'; directories that start with '.' are left out. Deptool keeps the name '\(AppName.madeUp)' for itself."
        case .symlinkedHost:
            "A host is a directory of its own. Its apps can be symlinks to directories that other hosts share."
        case .link(_, .leaves):
            "A symlink may lead to a file or directory in the same repository, by a relative path. Put the file itself there; `symlinks` in manifest.json makes symlinks on the host."
        case .link:
            "Deptool deploys the target of a symlink, in the same repository. Correct the symlink or remove it."
        case .special(_, .symlink):
            "Apps hold files and directories. Put the file itself there; `symlinks` in manifest.json makes symlinks on the host."
        case .special(_, .directory):
            "`host.json` is a file with the host's own settings. Rename the directory if it is an app."
        case .special, .badPath, .notUTF8, .gitDirectory:
            "Apps hold files and directories with plain names. Rename or remove it."
        case .sameName:
            "A file system that ignores case, as on macOS, cannot hold both. Rename one of them."
        case .notSealed:
            "An app's 'secrets/' holds files NAME.age that `deptool secret set HOST/APP/NAME` or age(1) wrote. Seal it, or put it elsewhere."
        case .sealedAsPlain:
            "Programs cannot read it. If it is in the app's own 'secrets/', its content is in /run/deptool/secrets."
        case .secretTooLarge:
            "Seal the key of the data, and deploy the data itself encrypted with it."
        case .unreadable:
            "Check its permissions."
        case .changing:
            "Try again when the program that writes it is done."
        case .store(let error): error.explanation
        case .several(let problems):
            problems.reduce(into: [String]()) { if !$0.contains($1.explanation) { $0.append($1.explanation) } }.joined(separator: "\n")
        }
    }

    /// One of several, or several in one.
    init?(_ problems: [ImportError]) {
        let single = problems.flatMap { problem in if case .several(let inner) = problem { inner } else { [problem] } }
        guard let first = single.first else { return nil }
        self = single.count == 1 ? first : .several(single)
    }
}

/// A probable mistake in a cluster directory that can still be deployed.
package enum ImportWarning: Hashable, Sendable {
    /// A host without app directories.
    case noApps(Hostname)
    /// A directory in place of an app. Git has no empty directories.
    case emptyApp(Hostname, String)
    /// A file that macOS leaves in directories that somebody looked at.
    case leftOut(ImportError.Place)

    package var phrase: String { phrase(in: "") }

    /// As for an error.
    package func phrase(in directory: String) -> String {
        func below(_ path: String) -> String { joined(directory, path) }
        return switch self {
        case .noApps(let host): "\(below(host.text)) has no apps, so nothing would be deployed to it"
        case .emptyApp(let host, let app): "\(below(host.text))/\(app) has no files, so there is no such app"
        case .leftOut(let place): "\(place.phrase(in: directory)) is left out"
        }
    }
}

/// A path of the cluster's directory, which can be the working directory.
private func joined(_ directory: String, _ path: String) -> String {
    directory.isEmpty || directory == "." ? path : "\(directory)/\(path)"
}

/// A name for people: bytes that are not printable UTF-8 become `\xNN`.
func shown(_ bytes: some Collection<UInt8>) -> String {
    let text = String(validating: bytes, as: UTF8.self)
    var result = ""
    func escape(_ byte: UInt8) { result += "\\x" + hex([byte]) }
    guard let text else {
        for byte in bytes {
            if byte < 0x20 || byte >= 0x7f { escape(byte) } else { result.unicodeScalars.append(Unicode.Scalar(byte)) }
        }
        return result
    }
    for scalar in text.unicodeScalars {
        if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
            for byte in String(scalar).utf8 { escape(byte) }
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}
