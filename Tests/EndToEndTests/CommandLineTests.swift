import Foundation
import Testing

/// Help for the shell: completions, manual pages, suggestions for misspelt words, the render hook.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class CommandLineTests {
    private let site: Site
    private let cluster: Cluster

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        try cluster.write("web1/nginx/file", "")
        try cluster.write("db1/postgres/file", "")
        let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Scripts").path
        for arguments in [["completions", Tools.deptool, "share"], ["man-pages", Tools.deptool, "man"]] {
            try Program(
                ["\(scripts)/\(arguments[0])"] + arguments.dropFirst(), in: cluster.directory, environment: cluster.environment
            ).finish().require(0)
        }
        // Completions call the tool by its name.
        try FileManager.default.createDirectory(atPath: "\(cluster.directory)/bin", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: "\(cluster.directory)/bin/deptool", withDestinationPath: Tools.deptool)
        cluster.environment["PATH"] = "\(cluster.directory)/bin:/usr/local/bin:/usr/bin:/bin"
        cluster.environment["TERM"] = "dumb"
        // A deploy that reached no host is in the log as well.
        cluster.environment["NO_COLOR"] = "1"
        // A silent one would be tried again and again, like a busy server.
        try cluster.write(outside: "ssh_config", "Host *\n  ProxyCommand sh -c 'echo closed >&2; exit 1'\n")
        #expect(try cluster.deptool("deploy", "--no-confirm", "--ssh-config", "ssh_config").code == 1)
    }

    private func commit() throws -> String {
        String(try cluster.deptool("log", "-n", "1").require(0).text.split(separator: " ")[2])
    }

    private static let shells: [(arguments: [String], setup: String)] = [
        (["bash", "--norc", "--noprofile", "-i"], "stty echo; source share/bash-completion/completions/deptool"),
        (["zsh", "-f", "-i"], "fpath=(share/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D"),
        (["fish", "--no-config"], "source share/fish/vendor_completions.d/deptool.fish"),
    ]

    @Test(arguments: shells.indices)
    func `Tab completes commands, hosts, apps, directories and commits`(index: Int) throws {
        let commit = try commit()
        let shell = Self.shells[index]
        let program = try Program(shell.arguments, in: cluster.directory, environment: cluster.environment, console: .terminal)
        program.type(line: shell.setup + "; echo re''ady")
        try program.expect("ready")
        // The typed text, and the line after Tab. Ctrl-U clears the line.
        for (typed, completed) in [
            ("deptool und", "deptool undo"), ("deptool log w", "deptool log web1"),
            ("deptool plan --limit web1,d", "deptool plan --limit web1,db1"),
            ("deptool deploy --limit db1,web1/n", "deptool deploy --limit db1,web1/nginx"),
            ("deptool forget d", "deptool forget db1"), ("deptool status pro", "deptool status prod"),
            ("deptool undo --to \(commit.prefix(2))", "deptool undo --to \(commit)"),
            ("deptool diff \(commit)..\(commit.prefix(2))", "deptool diff \(commit)..\(commit)"),
            ("deptool diff \(commit)..\(commit) web1/n", "\(commit) web1/nginx"),
            ("deptool plan --gua", "deptool plan --guard"), ("deptool secret gen", "deptool secret generate"),
            ("deptool secret show web1/n", "deptool secret show web1/nginx/"),
        ] {
            program.type(typed + "\t")
            try program.expect(completed)
            program.type("\u{15}")
        }
        program.type(line: "exit")
        #expect(try program.finish().code == 0)
    }

    @Test func `the version lists the agents and libraries`() throws {
        let lines = try cluster.deptool("--version").require(0).text.split(separator: "\n").map(String.init)
        #expect(lines[0].wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+/) != nil)
        #expect(lines[1].wholeMatch(of: /commit (unknown|[0-9a-f]{12}(-dirty)?)/) != nil)
        let agents = lines.filter { $0.hasPrefix("agent ") }
        #expect(agents.map { String($0.split(separator: " ")[1]) } == AgentTests.cpus)
        #expect(agents.allSatisfy { $0.wholeMatch(of: /agent [a-z0-9_]+ sha256 [0-9a-f]{64}/) != nil })
        #expect(lines.contains { $0.hasPrefix("libgit2 ") } && lines.contains { $0.hasPrefix("libssh2 ") })
    }

    @Test func `self-check finds a single wrong bit in an agent`() throws {
        try cluster.deptool("self-check").require(0)
        // The first agent's ELF header follows that of the program.
        var program = try Data(contentsOf: URL(filePath: Tools.deptool))
        let header = Data([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
        let agent = try #require(program.range(of: header, in: 64..<program.count))
        program[agent.lowerBound + 5000] ^= 1
        let damaged = "\(cluster.directory)/damaged"
        try program.write(to: URL(filePath: damaged))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: damaged)
        let output = try Program([damaged, "self-check"], in: cluster.directory, environment: cluster.environment).finish()
        #expect(output.code == 1)
        #expect(output.text.contains("This program is damaged. Install it again."), "\(output)")
    }

    @Test func `every command has a valid manual page, and an example in its help`() throws {
        let pages = try FileManager.default.contentsOfDirectory(atPath: "\(cluster.directory)/man").sorted()
        #expect(pages.contains("deptool.1") && pages.contains("deptool-plan.1") && pages.contains("deptool-undo.1"))
        let lint = try Program(
            ["mandoc", "-T", "lint", "-W", "warning"] + pages.map { "man/\($0)" }, in: cluster.directory,
            environment: cluster.environment
        ).finish()
        #expect(lint == Output(code: 0, text: "", errors: ""))
        for page in pages {
            let command = page.dropLast(2).dropFirst("deptool-".count)
            let help = try (command.isEmpty ? cluster.deptool("--help") : cluster.deptool(String(command), "--help")).require(0).text
            #expect(help.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains("Example: `deptool "), "\(page)")
            let text = try Program(
                ["mandoc", "-T", "html", "man/\(page)"], in: cluster.directory, environment: cluster.environment
            ).finish().require(0).text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(text.contains(">OPTIONS<") && text.replacing(/<[^>]*>/, with: "").contains("Example: deptool "), "\(page)")
        }
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL.path

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "\(root)/build/deptool"), "`make build` makes what is installed"))
    func `make install installs completions and manual pages`() throws {
        try cluster.run("make", "-s", "-C", Self.root, "-o", "build", "install", "DESTDIR=\(cluster.directory)/installed", "PREFIX=/usr")
        let files = Set(try cluster.run("find", "installed/usr", "-type", "f", "-printf", "%P\n").split(separator: "\n").map(String.init))
        let help = try Program(["installed/usr/bin/deptool", "--help"], in: cluster.directory, environment: cluster.environment).finish()
            .require(0)
        let commands = help.text.matches(of: /(?m)^  ([a-z][a-z-]+) {2,}[A-Z]/).map { String($0.output.1) }
        #expect(commands.contains("plan") && commands.count > 8)
        let pages = ["deptool.1"] + commands.map { "deptool-\($0).1" }
        #expect(
            files
                == Set(
                    [
                        "bin/deptool", "share/bash-completion/completions/deptool", "share/zsh/site-functions/_deptool",
                        "share/fish/vendor_completions.d/deptool.fish",
                    ] + pages.map { "share/man/man1/\($0)" }))
    }

    @Test func `a misspelt word suggests the right one`() throws {
        func complaint(_ arguments: String...) throws -> Output {
            try Program([Tools.deptool] + arguments, in: cluster.directory, environment: cluster.environment).finish()
        }
        #expect(
            try complaint("paln")
                == Output(
                    code: 1, text: "",
                    errors: "Error: there is no command 'paln'\nDid you mean 'plan'? `deptool --help` lists the commands.\n"))
        #expect(
            try complaint("something")
                == Output(code: 1, text: "", errors: "Error: there is no command 'something'\n`deptool --help` lists the commands.\n"))
        #expect(
            try complaint("plan", "--limit", "wbe1")
                == Output(code: 1, text: "", errors: "Error: no host matches 'wbe1'\nDid you mean 'web1'? The hosts are: db1, web1\n"))
        let option = try complaint("plan", "--limti", "web1")
        #expect(option.code == 1)
        #expect(option.errors.hasPrefix("Error: Unknown option '--limti'. Did you mean '--limit'?\n"))
        // Words of other tools.
        #expect(try complaint("rollback").errors.contains("Did you mean 'undo'?"))
        for word in ["--yes", "-y"] {
            #expect(try complaint("deploy", word).errors == "Error: Unknown option '\(word)'\n`--no-confirm` skips the question.\n")
        }
        // A host in the place of a directory.
        for command in [["plan"], ["verify"], ["undo"], ["status", "--offline"], ["verify", "--exit-code"]] {
            let output = try Program(
                [Tools.deptool] + command + ["nosuch"], in: cluster.directory, environment: cluster.environment
            ).finish()
            let help = "Name the cluster's directory, which holds one directory per host."
            #expect(output == Output(code: 1, text: "", errors: "Error: there is no directory nosuch\n\(help)\n"), "\(command)")
        }
    }

    @Test func `the render hook runs first, and a failure stops the command`() throws {
        func configure(_ hook: String) throws {
            try cluster.deptool("init", "prod", "--render", hook).require(0)
        }
        try cluster.remove("db1")
        try configure("mkdir -p $DEPTOOL_CLUSTER/web2/app && echo made in $(pwd) >prod/web2/app/file && echo shown && echo too >&2")
        let plan = try cluster.deptool("plan", "--limit", "web2").require(0)
        #expect(plan == Output(code: 0, text: "web2 (new host)\n    add app\n        + file\n", errors: "shown\ntoo\n"))
        #expect(try cluster.read("web2/app/file") == "made in \(cluster.directory)\n")
        try configure("echo no such template; exit 7")
        for command in ["plan", "deploy", "diff"] {
            let output = try cluster.deptool(command)
            #expect(
                output
                    == Output(
                        code: 1, text: "",
                        errors: """
                            no such template
                            Error: the render hook `echo no such template; exit 7` failed with status 7
                            Nothing was planned. It ran in \(cluster.directory); `--no-render` takes the config tree as it is.

                            """))
            #expect(try cluster.deptool(command, "--no-render", command == "deploy" ? "--plan-only" : "--limit=web1").code == 0)
        }
        // Another cluster's hook does not run for this one.
        try cluster.deptool("init", "staging").require(0)
        try cluster.write(outside: "staging/other/app/file", "")
        try cluster.deptool("plan", "staging").require(0)
    }

    @Test func `--help and the manual list the same exit codes`() throws {
        let help = try cluster.deptool("--help").require(0).text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let manual = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Manual/commands.md"), encoding: .utf8)
        for code in ["0", "1", "2", "3", "4", "5", "130"] {
            #expect(manual.contains("\n| \(code) | "))
            #expect(help.contains(" \(code) "), "\(code)")
        }
        #expect(try cluster.deptool("plan", "--exit-code").code == 2)
        #expect(try cluster.deptool("plan").code == 0)
        #expect(try cluster.deptool("diff", "--exit-code").code == 2)
    }

    @Test func `a file that is not a plan is refused`() throws {
        try cluster.write(outside: "notes.txt", "hello\n")
        #expect(
            try cluster.deptool("deploy", "notes.txt").errors
                == "Error: notes.txt is a file, but not a plan\nName a cluster's directory, or a file that `deptool plan --out` wrote.\n")
        #expect(try cluster.deptool("plan", "--out", "p").code == 0)
        let plan = try Data(contentsOf: URL(filePath: "\(cluster.directory)/p"))
        #expect(try FileManager.default.attributesOfItem(atPath: "\(cluster.directory)/p")[.posixPermissions] as? Int == 0o600)
        for length in [plan.count - 1, plan.count / 2, 20] {
            try plan.prefix(length).write(to: URL(filePath: "\(cluster.directory)/p"))
            #expect(try cluster.deptool("plan", "p").require(1).errors.hasPrefix("Error: cannot understand p: "))
        }
        #expect(try cluster.deptool("plan", "--out", "nowhere/p").require(1).errors.hasPrefix("Error: cannot create "))
        #expect(try FileManager.default.contentsOfDirectory(atPath: cluster.directory).filter { $0.hasPrefix("p.") } == [])
    }
}
