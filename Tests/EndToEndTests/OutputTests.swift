import Foundation
import Testing

/// Runs whose output is not read. Programs started by a shell have the default action for SIGPIPE.
@Suite(.serialized, .enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class OutputTests {
    private let site: Site
    private let cluster: Cluster

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        // More than a pipe holds.
        for file in 0..<400 { try cluster.write("web1/app/\(file)" + String(repeating: "x", count: 200), "") }
        // A server that sends its banner and hangs up, which is not tried again.
        try cluster.write(outside: "ssh_config", "Host *\n  ProxyCommand printf 'SSH-2.0-Test\\r\\n'\n")
        cluster.environment["DEPTOOL"] = Tools.deptool
    }

    /// The status and the standard error of the tool, in a script where `{}` stands for it.
    private func run(_ arguments: String, _ script: String) throws -> (status: String, errors: String) {
        let tool = "{ $DEPTOOL \(arguments) 2>errors; echo $? >status; }"
        try cluster.startScript("set +e\n" + script.replacing("{}", with: tool)).finish().require(0)
        func read(_ name: String) throws -> String { try String(contentsOfFile: "\(cluster.directory)/\(name)", encoding: .utf8) }
        return (try read("status"), try read("errors"))
    }

    private static let whole = ["plan", "plan --json", "diff", "status --offline", "status --offline --json", "--help"]

    @Test(arguments: whole) func `a reader may stop early`(command: String) throws {
        for reader in ["head -n 1", "true", "head -c 1"] {
            #expect(try run(command, "{} | \(reader) >/dev/null") == ("0\n", ""), "\(reader)")
        }
    }

    @Test(arguments: whole) func `a closed standard output is no error`(command: String) throws {
        #expect(try run(command, "{} >&-") == ("0\n", ""))
        #expect(try run(command, "{} >&- <&-") == ("0\n", ""))
        // No file opened meanwhile got the number of standard output.
        try cluster.run("git -C .deptool fsck --strict --no-dangling")
    }

    @Test(arguments: whole + ["plan --exit-code"]) func `a full disk under standard output is reported`(command: String) throws {
        #expect(
            try run(command, "{} >/dev/full")
                == ("1\n", "Error: cannot write to standard output: No space left on device\n"))
    }

    @Test func `a deploy ends with its own status`() throws {
        // It reaches no host.
        for output in ["| true", "| head -n 1", ">&-", ">/dev/full", "2>&-", ">&- 2>&- <&-", "2>/dev/full"] {
            #expect(try run("deploy --no-confirm --ssh-config ssh_config", "{} \(output)").status == "1\n", "\(output)")
        }
        let json = try run("deploy --no-confirm --json --ssh-config ssh_config", "{} | head -n 1")
        #expect(json == ("1\n", ""))
    }

    @Test func `a watch ends with its reader`() throws {
        for json in ["", "--json"] {
            let (status, errors) = try run("status --live --watch 1 \(json) --ssh-config ssh_config", "{} | head -n 1")
            #expect((status, errors) == ("0\n", ""))
        }
    }
}

extension EndToEnd {
    /// A deploy continues when its output is no longer read.
    @Suite final class UnseenDeployTests {
        private let site: Site
        private let cluster: Cluster
        private let host: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            host = try site.boot()
            cluster.environment["DEPTOOL"] = Tools.deptool
            cluster.environment["SSH_CONFIG"] = cluster.sshConfiguration
            // Slow enough for the reader to go while it starts.
            try cluster.addService("web", on: "web1", run: "/bin/sleep 2")
        }

        private var isDeployed: Bool {
            get throws {
                let verify = try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration)
                return try verify.code == 0 && host.state(of: "web") == "active"
            }
        }

        @Test func `a deploy completes when its reader ends`() throws {
            let script = "set +e; { $DEPTOOL deploy --no-confirm --ssh-config $SSH_CONFIG; echo $? >status; } | head -n 1"
            try cluster.startScript(script).finish().require(0)
            #expect(try cluster.run("cat status") == "0\n")
            #expect(try isDeployed)
        }

        @Test func `a deploy completes when its reader does not read`() throws {
            for file in 0..<400 { try cluster.write("web1/app/\(file)" + String(repeating: "x", count: 200), "") }
            let script = """
                set +e; mkfifo pipe; exec 3<>pipe
                $DEPTOOL deploy --no-confirm --ssh-config $SSH_CONFIG >pipe 3>&- & tool=$!
                until test -e read; do sleep 0.1; done
                exec 4<pipe 3>&-
                cat <&4 >output
                wait $tool; echo $? >status
                """
            let program = try cluster.startScript(script)
            // Its output does not fit into the pipe, and it completes the deploy to the host.
            let limit = ContinuousClock.now + .seconds(120)
            while try !isDeployed, .now < limit {}
            #expect(try isDeployed)
            #expect(!FileManager.default.fileExists(atPath: "\(cluster.directory)/status"))
            try cluster.write(outside: "read", "")
            try program.finish().require(0)
            #expect(try cluster.run("cat status") == "0\n")
            #expect(try cluster.run("tail -n 1 output").hasPrefix("Deployed to 1 host in "))
        }

        @Test func `the question returns when the pager is left`() throws {
            for line in 0..<2 { try cluster.write("web1/app/file\(line)", String(repeating: "a line of its own\n", count: 20_000)) }
            cluster.environment["PAGER"] = "head -n 1"
            let program = try cluster.startAsking()
            for _ in 0..<2 {
                try program.expect("[y/N/d] ")
                program.type(line: "d")
            }
            try program.expect("[y/N/d] ")
            program.type(line: "y")
            #expect(try program.finish().code == 0)
            #expect(try isDeployed)
        }

        @Test func `a deploy completes when the terminal goes away`() throws {
            let program = try cluster.startAsking()
            try program.expect("[y/N/d] ")
            program.type(line: "y")
            try program.expect("starting web.service")
            // The confirmed deploy completes.
            #expect(try program.hangUp(within: .seconds(120)) == 0)
            #expect(try isDeployed)
            #expect(try cluster.deptool("log").text.contains("done"))
        }
    }
}
