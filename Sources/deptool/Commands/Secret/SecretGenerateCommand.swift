import Age
import ArgumentParser
import Platform
import Sealing

struct SecretGenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Generate a random value, and seal it.",
        discussion: """
            With patterns, every matching host gets the same value, sealed for itself.

            Example: `deptool secret generate 'web*/shop/session-key' --length 64`
            """)

    @Argument(help: "The secret, as HOST/APP/NAME. HOST and APP may be patterns, such as 'web*'.", completion: Complete.secrets)
    var secret: String
    @Option(help: "How many characters the value has.")
    var length = 32
    @Option(help: "The characters that it is made of.")
    var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    @Flag(help: "Replace a value that is there.")
    var replace = false
    @Flag(help: "Print the value, too.")
    var show = false
    @OptionGroup var options: SecretOptions

    func validate() throws {
        guard (1...4096).contains(length) else { throw ValidationError("'--length' takes a number from 1 to 4096.") }
        let characters = Array(alphabet.utf8)
        guard (2...94).contains(characters.count), characters.allSatisfy({ (0x21...0x7E).contains($0) }),
            Set(characters).count == characters.count
        else { throw ValidationError("'--alphabet' takes at least two different characters of ASCII, without spaces.") }
    }

    func run() async throws {
        let files = try options.files()
        let places = try files.targets(secret)
        if !replace, let place = places.first(where: files.exists) {
            throw CommandError("\(place.text) has a value", "`--replace` gives it another one.")
        }
        let value = SecretBytes(random: length, of: Array(alphabet.utf8))
        let sealed = try files.seal(value, at: places, asks: options.prompts)
        if show {
            Terminal.flush()
            try? value.withSpan { bytes throws(Errno) in try writeAll(bytes, to: 1) }
            Terminal.write("\n")
        } else {
            report(sealed, files)
        }
    }
}
