import Age
import ArgumentParser
import Deployment
import Display
import Git
import Model
import Platform
import Sealing

struct SecretEditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Change a value in your editor.",
        discussion: """
            Edit opens $VISUAL, $EDITOR or vi on a file in memory that only you can read, and wipes it. Unchanged text leaves the \
            sealed file alone.

            Example: `deptool secret edit web1/shop/environment`
            """)

    @Argument(help: "The secret, as HOST/APP/NAME.", completion: Complete.secrets)
    var secret: String
    @OptionGroup var identity: IdentityOption
    @OptionGroup var options: SecretOptions

    func run() async throws {
        let files = try options.files()
        let place = try files.one(secret)
        try files.checkRecipients(of: [place], asks: options.prompts)
        let bytes = try files.read(place), file = try files.sealedFile(bytes, at: place)
        try files.checkOrigin(file, bytes, at: place)
        let value = try files.open(file, at: place, identity.ring)
        var edited: SecretBytes?
        try uninterrupted { edited = try edit(value, place) }
        guard let edited else { throw CommandError("the file is gone, or larger than a secret can be", "Nothing was sealed.") }
        guard edited.count > 0 else { throw CommandError("the file is empty", "Nothing was sealed.") }
        if edited.isSame(as: value) { return Terminal.write("Unchanged.\n") }
        report(try files.seal(edited, at: [place], asks: options.prompts), files)
    }

    private func edit(_ value: borrowing SecretBytes, _ place: SecretFiles.Place) throws -> SecretBytes? {
        do {
            let directory = try PrivateDirectory()
            let file = try directory.write(value, as: place.name)
            guard start(file) == 0 else { throw CommandError("the editor failed", "Nothing was sealed.") }
            defer { withExtendedLifetime(directory) {} }
            guard let opened = try? FileDescriptor(reading: file) else { return nil }
            return try attempt("cannot make a file in /dev/shm", try readSecret(from: opened, limit: SealedFile.contentLimit))
        } catch let problem as PrivateDirectory.FileError {
            throw CommandError("cannot make a file in /dev/shm: \(problem.phrase)")
        }
    }

    /// Whether the command starts Vim, by whatever name of a program.
    private func isVim(_ command: String) -> Bool {
        let program = command.split(separator: " ").first.map(String.init) ?? ""
        let directories = program.contains("/") ? [""] : (environment("PATH") ?? "").split(separator: ":").map { $0 + "/" }
        for directory in directories {
            guard let path = try? resolved(directory + program) else { continue }
            let name = path.split(separator: "/").last ?? ""
            return ["vim", "nvim", "gvim"].contains { name.hasPrefix($0) }
        }
        return false
    }

    /// The variables hold shell commands by convention.
    private func start(_ file: String) -> Int32 {
        Terminal.flush()
        var editor = environment("VISUAL") ?? environment("EDITOR") ?? "vi"
        // Vim keeps deleted or copied text in a file of its own, and more with some settings.
        if isVim(editor) { editor += " -n -i NONE --cmd 'au BufReadPre * setlocal nomodeline' -c 'set noundofile nobackup nowritebackup'" }
        let arguments = ["sh", "-c", editor + #" "$1""#, "sh", file]
        return (try? ChildProcess(arguments, in: .shared, input: 0, output: 1, error: 2))?.wait() ?? -1
    }
}
