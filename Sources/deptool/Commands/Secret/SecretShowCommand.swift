import Age
import ArgumentParser
import Model
import Platform
import Sealing

struct SecretShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print a value.",
        discussion: "The output is the value and nothing else. Example: `deptool secret show web1/shop/db-password`")

    @Argument(help: "The secret, as HOST/APP/NAME.", completion: Complete.secrets)
    var secret: String
    @OptionGroup var identity: IdentityOption
    @OptionGroup var options: SecretOptions

    func run() async throws {
        let files = try options.files()
        let value = try files.open(try files.one(secret), identity.ring)
        if Terminal.isOutput {
            guard unsafe value.withBytes(isHarmless) else {
                throw CommandError("the value is no plain text, which could harm the terminal", "Send it to a file or a pipe.")
            }
        }
        Terminal.flush()
        try attempt("cannot write the value", try value.withSpan { bytes throws(Errno) in try writeAll(bytes, to: 1) })
        if Terminal.isOutput, value.count > 0, value[value.count - 1] != 10 { Terminal.write("\n") }
    }
}

/// Whether the bytes are UTF-8 without control characters but tabs and line breaks, and without those that change the direction
/// of text. Makes no copy.
private func isHarmless(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var parser = Unicode.UTF8.ForwardParser(), rest = unsafe bytes.makeIterator()
    while true {
        switch unsafe parser.parseScalar(from: &rest) {
        case .emptyInput: return true
        case .error: return false
        case .valid(let encoded):
            let scalar = Unicode.UTF8.decode(encoded)
            guard scalar == "\n" || scalar == "\t" || visible(String(scalar)) == String(scalar) else { return false }
        }
    }
}
