import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import Platform
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
            SecretSetCommand.self, SecretGenerateCommand.self, SecretEditCommand.self, SecretShowCommand.self, SecretListCommand.self,
            SecretRekeyCommand.self,
            SecretEnrollCommand.self,
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
        guard workspace.isThere else { throw workspace.absence }
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
        Terminal.writeError("A passphrase protects \(visible(path)).\n")
        Terminal.flush()
        let arguments = ["ssh-keygen", "-q", "-p", "-N", "", "-f", copy]
        return (try? ChildProcess(arguments, in: .shared, input: 0, output: nil, error: 2))?.wait() == 0
    }
}
