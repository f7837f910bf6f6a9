import ArgumentParser
import Deployment
import Display
import Model
import Platform
import SSH
import Sealing

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

/// Prints the sealed files and their recipients.
func report(_ sealed: [SecretFiles.Sealed], _ files: SecretFiles) {
    for file in sealed { Terminal.write("Sealed \(files.shown(files.path(file.place))) for \(names(of: file.recipients)).\n") }
    let operators = files.shown("\(files.workspace.directory)/\(RecipientsFile.name)")
    func warn(_ text: String) { Terminal.writeError("warning: \(text)\n") }
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
        let bytes = try? FileDescriptor(reading: "\(home)/.ssh/\(name).pub").readAll(limit: 64 << 10)
        return bytes.flatMap { try? Recipient(line: $0.prefix { $0 != 0x0a }) }?.key
    }
    return keys.isEmpty ? nil : keys
}
