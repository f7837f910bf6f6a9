import Age
import ArgumentParser
import Platform
import Sealing

struct SecretSetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Seal a value, new or changed.",
        discussion: """
            Set asks for the value twice, without showing it. From a pipe, the value is everything that arrives, with its last \
            newline. With patterns, every matching host gets the value, sealed for itself.

            Example: `pwgen 32 1 | tr -d '\\n' | deptool secret set 'web*/shop/api-key'`
            """)

    @Argument(help: "The secret, as HOST/APP/NAME. HOST and APP may be patterns, such as 'web*'.", completion: Complete.secrets)
    var secret: String
    @OptionGroup var options: SecretOptions

    func run() async throws {
        let files = try options.files()
        let places = try files.targets(secret)
        try files.checkRecipients(of: places, asks: options.prompts)
        let value = try Self.value(of: secret)
        report(try files.seal(value, at: places, asks: options.prompts), files)
    }

    private static func value(of name: String) throws -> SecretBytes {
        guard Terminal.isInput else {
            let limit = SealedFile.contentLimit
            guard let value = try attempt("cannot read standard input", try readSecret(from: .standardInput, limit: limit)) else {
                throw CommandError("a secret has at most \(limit / 1000) kB")
            }
            guard value.count > 0 else { throw CommandError("standard input is empty", "Nothing was sealed.") }
            return value
        }
        guard let first = Terminal.askSecret("Value: "), first.count > 0, let second = Terminal.askSecret("Again: ") else {
            throw CommandError("no value was typed", "Nothing was sealed.")
        }
        let one = secretBytes(first), other = secretBytes(second)
        guard one.isSame(as: other) else { throw CommandError("the two values differ", "Nothing was sealed.") }
        return one
    }
}
