import Age
import ArgumentParser
import CSystem
import Sealing

struct SecretShow: AsyncParsableCommand {
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
            for index in 0..<value.count where value[index] < 0x20 && value[index] != 10 && value[index] != 9 || value[index] == 0x7F {
                throw CommandError("the value has control characters, which could harm the terminal", "Send it to a file or a pipe.")
            }
        }
        Terminal.flush()
        let result = value.withBytes { Sealing.write(all: $0, to: 1) }
        guard result == 0 else { throw CommandError("cannot write the value: \(String(cString: csys_strerror(result)))") }
        if Terminal.isOutput, value.count > 0, value[value.count - 1] != 10 { Terminal.write("\n") }
    }
}
