import Foundation

/// An operator with a home, a config tree `prod` and a store, and the tool to deploy it with.
final class Cluster {
    /// Holds the tree and the store.
    let directory: String
    private let site: Site
    /// The program that the operator runs.
    var tool = Tools.deptool
    var environment: [String: String]
    /// ssh's configuration.
    var sshConfiguration: String
    /// `--transport`; nil for the tool's choice.
    var transport = ProcessInfo.processInfo.environment["DEPTOOL_TRANSPORT"]

    /// With an empty tree. The store is there unless it is to be made later.
    init(_ site: Site, of person: String = "Ann", isInitialized: Bool = true) throws {
        self.site = site
        directory = "\(site.directory)/\(person)"
        sshConfiguration = "\(site.lab)/ssh_config"
        environment = [
            "HOME": directory, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "TERM": "xterm",
            "LC_ALL": "C.UTF-8", "TZ": "UTC", Tools.mark: site.directory,
        ]
        try FileManager.default.createDirectory(atPath: "\(directory)/prod", withIntermediateDirectories: true)
        try write(outside: ".gitconfig", "[user]\n\tname = \(person)\n\temail = \(person.lowercased())@example.com\n")
        if isInitialized { try deptool("init", "prod").require(0) }
    }

    // MARK: The config tree

    /// Writes a file of the config tree: its path starts with the host's name.
    func write(_ path: String, _ content: String) throws { try write(outside: "prod/" + path, content) }

    /// Writes a file beside the tree.
    func write(outside path: String, _ content: String) throws {
        let url = URL(filePath: "\(directory)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content.utf8).write(to: url)
    }

    func read(_ path: String) throws -> String { try String(contentsOfFile: "\(directory)/prod/\(path)", encoding: .utf8) }

    func edit(_ path: String, replacing old: String, with new: String) throws {
        let content = try read(path)
        guard content.contains(old) else {
            throw Failed(what: "finding '\(old)' in \(path)", output: Output(code: 0, text: content, errors: ""))
        }
        try write(path, content.replacing(old, with: new))
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(directory)/prod/\(path)") }

    /// An app with one unit that runs as long as it is not stopped, and is up immediately.
    func addService(_ app: String, on host: String, run command: String = "/bin/true", before: String? = nil) throws {
        try write("\(host)/\(app)/manifest.json", #"{"systemd": {"units_enabled": ["\#(app).service"]}}"#)
        let first = before.map { "ExecStartPre=\($0)\n" } ?? ""
        try write(
            "\(host)/\(app)/systemd/\(app).service",
            """
            [Service]
            Type=oneshot
            RemainAfterExit=yes
            TimeoutStopSec=5
            \(first)ExecStart=\(command)

            [Install]
            WantedBy=multi-user.target

            """)
    }

    // MARK: Examples

    /// Copies `examples/NAME` beside the store, including the config tree `prod`.
    func copyExample(_ name: String) throws {
        try run("cp -R \(Self.examples)/\(name)/. .")
    }

    /// Lets a script run `deptool secret …` as an operator of its own, with the lab's hosts in known_hosts.
    func addOperator() throws {
        try run(
            """
            mkdir -p bin .ssh
            ssh-keygen -q -t ed25519 -N '' -C operator -f .ssh/id_ed25519
            cp .ssh/id_ed25519.pub prod/recipients
            printf '#!/bin/sh\\nshift; command=$1; shift; exec %s secret "$command" --ssh-config %s "$@"\\n' \
                '\(Tools.deptool)' '\(sshConfiguration)' >bin/deptool
            chmod 755 bin/deptool
            """)
        environment["PATH"] = "\(directory)/bin:\(environment["PATH"] ?? "")"
    }

    /// Runs a shell script beside the store, like an operator; it must succeed. Returns its output.
    @discardableResult
    func run(_ script: String) throws -> String {
        try startScript(script).finish(within: .seconds(120)).require(0).text
    }

    func startScript(_ script: String) throws -> Program {
        try Program(["sh", "-euc", script], in: directory, environment: environment)
    }

    static let examples = URL(filePath: Tools.lab).deletingLastPathComponent().appending(path: "../examples")
        .standardizedFileURL.path

    // MARK: The tool

    /// Starts the tool.
    func start(_ arguments: String..., on console: Program.Console = .pipes) throws -> Program {
        try start(arguments, console)
    }

    private func start(_ arguments: [String], _ console: Program.Console) throws -> Program {
        let connects = ["deploy", "sync", "ping"].contains(arguments.first)
        let transport = connects ? transport.map { ["--transport", $0] } ?? [] : []
        return try Program([tool] + arguments + transport, in: directory, environment: environment, console: console)
    }

    @discardableResult
    func deptool(_ arguments: String...) throws -> Output { try start(arguments, .pipes).finish() }

    /// Deploys without asking.
    func deploy(_ arguments: String...) throws -> Output { try deploy(arguments) }

    func deploy(_ arguments: [String]) throws -> Output {
        try start(["deploy", "--no-confirm", "--ssh-config", sshConfiguration] + arguments, .pipes).finish()
    }

    /// Starts to deploy without asking.
    func startDeploy(_ arguments: [String] = []) throws -> Program {
        try start(["deploy", "--no-confirm", "--ssh-config", sshConfiguration] + arguments, .pipes)
    }

    /// Starts to deploy on a terminal, where it will ask.
    func startAsking(_ arguments: String...) throws -> Program {
        try start(["deploy", "--ssh-config", sshConfiguration] + arguments, .terminal)
    }

    /// Makes ssh's configuration the lab's with some of it replaced.
    func configure(_ replacements: (String, String)...) throws {
        var text = try String(contentsOfFile: "\(site.lab)/ssh_config", encoding: .utf8)
        for (old, new) in replacements { text = text.replacing(old, with: new) }
        try write(outside: "ssh_config", text)
        sshConfiguration = "\(directory)/ssh_config"
    }

    /// Runs a program beside the tree, which must succeed.
    @discardableResult
    func run(_ arguments: String...) throws -> String {
        try Program(arguments, in: directory, environment: environment).finish().require(0).text
    }

    /// The store's references to hosts.
    func references() throws -> String {
        try Program(
            ["git", "-C", "\(directory)/.deptool", "for-each-ref", "--format=%(refname) %(objectname)", "refs/remotes"],
            environment: environment
        ).finish().text
    }
}

extension Output {
    /// Fails unless the program ended with this code.
    @discardableResult
    func require(_ code: Int32) throws -> Output {
        guard self.code == code else { throw Failed(what: "expected exit \(code)", output: self) }
        return self
    }

    /// The text without what differs from run to run: durations and commits.
    var stable: String {
        text.replacing(/[0-9]+\.[0-9][0-9] s\b/, with: "N s").replacing(/\b[0-9a-f]{10}\b/, with: "COMMIT")
    }
}
