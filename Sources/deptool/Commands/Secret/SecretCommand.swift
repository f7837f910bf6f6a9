import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import SSH
import Sealing

struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret", abstract: "Seal values for hosts: passwords, keys, tokens.",
        discussion: """
            A secret is a file APP/secrets/NAME.age in the directory of a host, in the format of age. It is sealed for the SSH host \
            key of its host, and for the operators in the file 'recipients' of the cluster. Only the host, as root, and the \
            operators can open it.

            Example: `deptool secret set web1/shop/db-password`
            """,
        subcommands: [
            SecretSet.self, SecretGenerate.self, SecretEdit.self, SecretShow.self, SecretList.self, SecretRekey.self,
            SecretEnroll.self,
        ])
}

/// Where secrets are, and whose keys they are sealed for.
struct SecretOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The cluster's directory.", discussion: "If omitted, the last cluster you used.", valueName: "dir"),
        completion: .directory)
    var cluster: String?
    @Option(
        name: .long, help: ArgumentHelp("Use this ssh configuration instead of your own.", valueName: "file"),
        completion: .file())
    var sshConfig: String?

    /// Keeps the memory of this process from others: secrets will be in it.
    func files() throws -> SecretFiles {
        csys_hide_memory()
        let workspace = try Workspace(directory: cluster)
        guard workspace.isThere else { throw CommandError("there is no directory \(visible(workspace.directory))") }
        return SecretFiles(workspace: workspace, keys: HostKeys(configuration: sshConfig))
    }

    /// Whom to ask about a host's key.
    var prompts: Prompts {
        guard Terminal.isInput && Terminal.isOutput else { return .none }
        return Prompts(confirm: { question in
            Terminal.write(
                "The host '\(visible(question.host))' has a key that is not known yet:\n"
                    + "    \(visible(question.type)) \(visible(question.fingerprint))\n")
            let answer = Terminal.ask("Is it the right one? [y/N] ")?.lowercased()
            return answer == "y" || answer == "yes" ? .accept : .refuse
        })
    }
}

struct IdentityOption: ParsableArguments {
    @Option(
        name: [.customShort("i"), .customLong("identity")], parsing: .singleValue,
        help: ArgumentHelp(
            "Open with this private key: of SSH, or an identity of age.",
            discussion: "If omitted, ~/.ssh/id_ed25519 and ~/.ssh/id_rsa.", valueName: "file"), completion: .file())
    var identities: [String] = []

    var ring: KeyRing {
        KeyRing(identities, home: environment("HOME") ?? LocalUser.current().home) { path, copy in Self.unlock(path, copy) }
    }

    /// ssh-keygen(1) asks for the passphrase itself, and decrypts the copy.
    private static func unlock(_ path: String, _ copy: String) -> Bool {
        Terminal.complain("A passphrase protects \(visible(path)).\n")
        Terminal.flush()
        let null = csys_open_null()
        let (input, error) = (csys_duplicate(0), csys_duplicate(2))
        defer { for descriptor in [null, input, error] where descriptor >= 0 { _ = csys_close(descriptor) } }
        let arguments = ["ssh-keygen", "-q", "-p", "-N", "", "-f", copy]
        let pid = packed(arguments).withUnsafeBytes {
            csys_spawn_foreground($0.baseAddress, $0.count, arguments.count, input, null, error)
        }
        return pid > 0 && csys_wait(pid, true) == 0
    }
}

/// Ctrl-C and the like end the programs that `work` starts, but not this one before `work` has cleaned up.
func uninterrupted(_ work: () throws -> Void) rethrows {
    csys_ignore_hangup(true)
    defer { csys_ignore_hangup(false) }
    try Interruption.handled(by: { _ in }, work)
}

/// `web1, ann and bob`.
func names(of recipients: [Recipient]) -> String {
    let names = distinctNames(of: recipients).map(visible)
    guard let last = names.last, names.count > 1 else { return names.first ?? "nobody" }
    return names.dropLast().joined(separator: ", ") + " and " + last
}

/// The names of recipients; with the fingerprint of the key where two have the same name, or where a name could look like another.
func distinctNames(of recipients: [Recipient]) -> [String] {
    recipients.map { one in
        let isPlain = one.name.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        return isPlain && recipients.count { $0.name == one.name } == 1 ? one.name : "\(one.name) (\(one.mark))"
    }
}

/// Says what was sealed, and for whom.
func report(_ sealed: [SecretFiles.Sealed], _ files: SecretFiles) {
    for file in sealed { Terminal.write("Sealed \(files.shown(files.path(file.place))) for \(names(of: file.recipients)).\n") }
    let operators = files.shown("\(files.workspace.directory)/\(RecipientsFile.name)")
    func warn(_ text: String) { Terminal.complain("warning: \(text)\n") }
    if sealed.contains(where: { $0.recipients.count == $0.hostKeys }) {
        warn("no operator can open it: add your public key to \(operators), then set it again")
    } else if let file = sealed.first, let own = ownKeys(), !file.recipients.contains(where: { own.contains($0.key) }) {
        warn("none of your keys in ~/.ssh can open it: your public key is not in \(operators)")
    }
    for host in Set(sealed.filter { $0.hostKeys > 1 }.map(\.place.host)).sorted() {
        warn(
            "your known_hosts has several keys of \(host.text), and each of them opens it; remove the old ones, and run `deptool secret rekey`"
        )
    }
}

/// The keys that Deptool would open files with; nil if there are none.
private func ownKeys() -> [Recipient.Key]? {
    let home = environment("HOME") ?? LocalUser.current().home
    let keys = ["id_ed25519", "id_rsa"].compactMap { name -> Recipient.Key? in
        let descriptor = csys_open_read("\(home)/.ssh/\(name).pub")
        guard descriptor >= 0 else { return nil }
        defer { _ = csys_close(descriptor) }
        guard let bytes = try? readSecret(from: descriptor, limit: 64 << 10) else { return nil }
        return bytes.withBytes { try? Recipient(line: Array($0).prefix { $0 != 0x0a }) }?.key
    }
    return keys.isEmpty ? nil : keys
}
