import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import Planning
import Platform
import SSH
import Sealing

struct SecretEnrollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enroll", abstract: "Give a host without an ed25519 host key a key for its secrets.",
        discussion: """
            Enroll logs in to the host and has ssh-keygen make a key in \(Layout.identityDirectory.text). If the host has no \
            ssh-keygen, Deptool makes the key here, in memory, and sends it. The public half goes into the host's \
            \(HostOptions.fileName). A host that has its key already keeps it: then enroll compares it with that file. Until \
            you have run it for a host with such a key, nothing is sealed for that host.

            Example: `deptool secret enroll router1`
            """)

    @Argument(help: "The host.", completion: Complete.hosts)
    var host: String
    @Option(
        help: ArgumentHelp("The cluster's directory.", discussion: "If omitted, the last cluster you used.", valueName: "dir"),
        completion: .directory)
    var cluster: String?
    @OptionGroup var ssh: SSHOptions

    func run() async throws {
        csys_hide_memory()
        let workspace = try Workspace(directory: cluster)
        let files = SecretFiles(workspace: workspace, keys: ssh.hostKeys)
        guard let name = Hostname(host), files.hasDirectory(of: name) else {
            throw CommandError(
                "there is no host '\(visible(host))'", "The hosts are the directories in \(files.shown(workspace.directory)).")
        }
        let screen = ProgressScreen([name])
        let outcome: Enrollment.Outcome
        do {
            var access = ssh.access(screen)
            access.isStrict = true
            outcome = try await Enrollment(name, access: access, generate: Self.generate).run()
        } catch let error as SSHError {
            throw CommandError("\(name.text): \(error.phrase)")
        } catch let error as HostError {
            throw CommandError("\(name.text): \(error.phrase)", error.explanation(name))
        }
        let path = files.shown(files.optionsPath(name)), old = try files.identity(of: name)
        let key: PublicKey
        switch outcome {
        case .identity(let found): key = found
        case .hasHostKey where old != nil:
            throw CommandError(
                "\(name.text) has no key of its own, and opens secrets with its SSH key",
                "Remove \"identity\" from \(path), then run `deptool secret rekey \(name.text)`.")
        case .hasHostKey:
            return Terminal.write(
                "\(name.text) opens secrets with its SSH key. Run `ssh -o HostKeyAlgorithms=ssh-ed25519 \(name.text)` if yours does not know it.\n"
            )
        case .failed(let said):
            throw CommandError(
                "\(name.text) has no key, and could not get one: \(visible(said))",
                "Log in there and look at \(Layout.identityDirectory.text).")
        }
        if let other = files.other(than: name, with: key.line) {
            throw CommandError(
                "\(name.text) has the key of \(other.text): each could open the secrets of the other",
                "If one is a copy of the other, remove \(Layout.identityDirectory.text) there, and run this again.")
        }
        let isNew = try files.enroll(name, key.line)
        try files.confirm(key.line, of: name)
        guard isNew else { return Terminal.write("\(name.text) opens secrets with the key in \(path).\n") }
        let former = old.flatMap { PublicKey(line: Array($0.utf8)[...]) }.map { ", no longer with \(fingerprint(of: $0))" } ?? ""
        Terminal.write("\(name.text) opens secrets with \(fingerprint(of: key))\(former). Wrote \(path).\n")
        if try files.existing([]).contains(where: { $0.host == name }) {
            Terminal.write("Seal its secrets for that key: deptool secret rekey \(name.text)\n")
        }
    }

    /// By ssh-keygen(1), in memory. Ctrl-C ends the program only once nothing of it is left there.
    private static func generate() -> Enrollment.KeyPair? {
        var pair: Enrollment.KeyPair?
        if uninterrupted({ pair = generateKeyPair() }) {
            pair = nil
            csys_end_by_interrupt()
        }
        return pair
    }

    private static func generateKeyPair() -> Enrollment.KeyPair? {
        guard let directory = try? PrivateDirectory() else { return nil }
        defer { withExtendedLifetime(directory) {} }
        let file = "\(directory.path)/identity"
        let arguments = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "deptool", "-f", file]
        guard let process = try? ChildProcess(arguments, in: .shared, input: nil, output: nil, error: 2), process.wait() == 0,
            let publicKey = try? FileDescriptor(reading: file + ".pub").readAll(limit: 16 << 10),
            let opened = try? FileDescriptor(reading: file), let privateKey = SSH.Secret(from: opened, upTo: 16 << 10, .file)
        else { return nil }
        return Enrollment.KeyPair(
            privateKey: privateKey, publicKey: String(decoding: publicKey.prefix { $0 != 0x0a }, as: UTF8.self))
    }
}
