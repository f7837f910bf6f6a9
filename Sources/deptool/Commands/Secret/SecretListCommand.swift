import Age
import ArgumentParser
import Deployment
import Display
import Model
import Sealing

struct SecretListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the secrets, and who can open them.",
        discussion: "It opens no secret and contacts no host. Example: `deptool secret list web1`")

    @Argument(help: "Limit to these: HOST, HOST/APP or HOST/APP/NAME, also patterns.", completion: Complete.secrets)
    var secrets: [String] = []
    @OptionGroup var options: SecretOptions
    @OptionGroup var output: OutputOption

    func run() async throws {
        let files = try options.files()
        let operators = try files.operators()
        var hosts: [Hostname: [Recipient]] = [:]
        var rows: [SecretRow] = []
        for place in try files.existing(secrets) {
            let own = try hosts[place.host] ?? files.recipients(of: place.host, isTrusting: true)
            hosts[place.host] = own
            var row = SecretRow(host: place.host, app: place.app, name: place.name)
            if try files.hasUnconfirmedKey(place.host) {
                row.problems = ["you have not confirmed the key in its host.json: deptool secret enroll \(place.host.text)"]
            }
            let bytes = try files.read(place)
            do throws(AgeError) {
                row.describe(try SealedFile(bytes), own: own, operators: operators)
            } catch {
                row.problems = [error.phrase]
            }
            rows.append(row)
        }
        output.write(secretsJSON(rows), or: rows.isEmpty ? "There are no secrets.\n" : secretsText(rows))
    }
}

extension SecretRow {
    /// Its readers, by the tags of their keys.
    fileprivate mutating func describe(_ file: SealedFile, own: [Recipient], operators: [Recipient]) {
        let known = own + operators
        let tags = file.tags
        for (recipient, name) in zip(known, distinctNames(of: known)) {
            if let tag = recipient.tag, tags.contains(tag), !recipients.contains(name) { recipients.append(name) }
        }
        // Stanzas for keys of age do not name their key.
        let native = file.stanzas.filter { $0.kind == .age }.count, expected = operators.filter { $0.tag == nil }
        if native > 0, native == expected.count { recipients += expected.map(\.name) }
        unknown = tags.filter { tag in !known.contains { $0.tag == tag } }.count + (native == expected.count ? 0 : native)
        if own.isEmpty {
            problems.append("no ed25519 key of \(host.text) is known")
        } else if !own.contains(where: { $0.tag.map(file.isSealed) ?? false }) {
            problems.append("not sealed for \(host.text)")
        }
        if problems.isEmpty, !file.isSealed(for: own + operators.filter { one in !own.contains { $0.key == one.key } }) {
            problems.append("sealed for others than the recipients now")
        }
    }
}
