import Foundation
import Model
import Platform
import Testing

@testable import SSH

/// A directory of one test, removed with it.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("\(NSTemporaryDirectory())/deptool-ssh-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> String {
        try text.write(toFile: file(name), atomically: false, encoding: .utf8)
        chmod(file(name), mode)
        return file(name)
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }

    /// A new key pair by ssh-keygen; the path of the private key.
    func key(_ name: String, type: String = "ed25519", passphrase: String = "", format: String? = nil) throws -> String {
        var arguments = ["ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", name, "-f", file(name)]
        if type == "rsa" { arguments += ["-b", "2048"] }
        if let format { arguments += ["-m", format] }
        try output(of: arguments)
        return file(name)
    }

    func publicKey(_ name: String) throws -> PublicKey {
        try #require(PublicKey(line: Array(try read("\(name).pub").utf8)[...]))
    }
}

/// The output of a program that succeeds.
@discardableResult
func output(of arguments: [String]) throws -> String {
    let finished = try Subprocess.run(
        arguments, limit: 1 << 20, interrupt: Interrupt(), deadline: .after(.seconds(20)), phase: .readingSettings)
    try #require(finished.status == 0, "\(arguments): \(String(decoding: finished.error, as: UTF8.self))")
    return String(decoding: finished.output, as: UTF8.self)
}

/// A program that ends with this object, and also when the tests crash: a shell ends it when its input closes.
final class Daemon {
    private let leash: Platform.Pipe
    private let process: Subprocess

    init(_ arguments: [String], log: String = "/dev/null") throws {
        let shell = "\"$@\" </dev/null & child=$!; while read -r line; do :; done; kill $child"
        leash = try Platform.Pipe()
        let output = FileDescriptor(open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        process = try Subprocess(
            ["sh", "-c", shell, "sh"] + arguments, input: leash.reading.number, output: output.number, error: output.number)
    }
}

/// A real sshd on a free port of 127.0.0.1, for the user who runs the tests.
final class Server {
    let port: UInt16
    let scratch: Scratch
    private let daemon: Daemon

    static let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    init(hostKeys: [String] = ["ed25519"], _ settings: String = "") throws {
        let scratch = try Scratch()
        self.scratch = scratch
        for type in hostKeys { _ = try scratch.key("host_\(type)", type: type) }
        try scratch.write("", to: "authorized_keys")
        let keys = hostKeys.map { "HostKey \(scratch.file("host_\($0)"))" }.joined(separator: "\n")
        // As root, sshd wants this directory; its own service makes it too.
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        let program = try #require(Self.program)
        while true {
            let port = try freePort()
            let configuration = try scratch.write(
                """
                \(settings)
                ListenAddress 127.0.0.1
                Port \(port)
                \(keys)
                AuthorizedKeysFile \(scratch.file("authorized_keys"))
                StrictModes no
                UsePAM no
                PermitRootLogin yes
                PasswordAuthentication no
                KbdInteractiveAuthentication no
                MaxStartups 100
                PidFile none
                """, to: "sshd_config")
            let log = scratch.file("log-\(port)")
            let daemon = try Daemon([program, "-D", "-e", "-f", configuration], log: log)
            func says(_ text: String) -> Bool { (try? String(contentsOfFile: log, encoding: .utf8).contains(text)) ?? false }
            try waitUntil { says("Server listening on") || says("Cannot bind") }
            // The server of another test may have been faster.
            guard says("Server listening on") else { continue }
            (self.port, self.daemon) = (port, daemon)
            return
        }
    }

    func authorize(_ publicKeyFile: String) throws {
        let line = try String(contentsOfFile: publicKeyFile, encoding: .utf8)
        try scratch.write(try scratch.read("authorized_keys") + line, to: "authorized_keys")
    }

    /// Settings that reach this server, with its host keys in known_hosts and without keys of our own.
    func settings(known types: [String] = ["ed25519"]) throws -> HostSettings {
        let lines = try types.map { "[127.0.0.1]:\(port) \(try scratch.read("host_\($0).pub"))" }
        try scratch.write(lines.joined(), to: "known_hosts")
        var settings = HostSettings(name: try #require(Hostname("web1")), hostName: "127.0.0.1", user: NSUserName())
        settings.port = port
        settings.userKnownHostsFiles = [scratch.file("known_hosts")]
        return settings
    }

    /// Settings that log in, with a new key in a file.
    func settingsWithKey(known types: [String] = ["ed25519"]) throws -> HostSettings {
        var settings = try settings(known: types)
        let key = scratch.file("id_ed25519")
        if !FileManager.default.fileExists(atPath: key) {
            _ = try scratch.key("id_ed25519")
            try authorize("\(key).pub")
        }
        settings.identityFiles = [key]
        return settings
    }

    /// An entry of ssh_config(5) that logs in, with more lines of its own.
    func entry(_ name: String, _ lines: String = "") throws -> String {
        let settings = try settingsWithKey()
        return """
            Host \(name)
              HostName 127.0.0.1
              Port \(port)
              IdentityFile \(settings.identityFiles[0])
              UserKnownHostsFile \(settings.userKnownHostsFiles[0])
              \(lines)

            """
    }
}

/// A real ssh-agent.
final class TestAgent {
    let socket: String
    private let scratch: Scratch
    private let daemon: Daemon

    init() throws {
        scratch = try Scratch()
        let socket = scratch.file("agent")
        self.socket = socket
        daemon = try Daemon(["ssh-agent", "-D", "-a", socket])
        try waitUntil { FileManager.default.fileExists(atPath: socket) }
    }

    func change(_ arguments: [String]) throws {
        try output(of: ["env", "SSH_AUTH_SOCK=\(socket)", "ssh-add"] + arguments)
    }

    func add(_ key: String) throws { try change(["-q", key]) }
}

func waitUntil(_ condition: () -> Bool) throws {
    let deadline = Deadline.after(.seconds(300))
    while !condition() {
        try #require(!deadline.hasPassed, "what a test started is not up in five minutes")
        usleep(5000)
    }
}

func connect(_ settings: HostSettings, _ prompts: Prompts = .none) throws -> Connection {
    try Connection(to: settings, prompts: prompts, interrupt: Interrupt(), deadline: .after(.seconds(20)))
}

/// The error that a connection ends with.
func failure(_ settings: HostSettings, _ prompts: Prompts = .none) throws -> SSHError? {
    #expect(throws: SSHError.self) { _ = try connect(settings, prompts) }
}

extension Connection {
    /// Runs a command to its end.
    func output(of command: String) throws -> String {
        let channel = try start(command, deadline: .after(.seconds(10)))
        var bytes: [UInt8] = []
        while case let more = try channel.read(max: .max, deadline: .after(.seconds(10))), !more.isEmpty { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Trait where Self == ConditionTrait {
    static var needsServer: Self { .enabled(if: Server.program != nil, "sshd is not installed") }
}
