import Foundation
import Testing

/// Every run ends with its own status, even if the libraries' teardown of threads and of the program is slow
/// (`Tests/SlowEnd`).
@Suite(.serialized, .enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class EndingTests {
    private let site: Site
    private let cluster: Cluster

    /// With the delays, every other run crashed as long as exit(3) ended it beside the threads of its hosts.
    private static let rounds = Torture.isWhole ? 2000 : 10

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        for host in 1...4 { try cluster.write("host\(host)/app/file", "") }
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        cluster.environment["SLOW_END"] = URL(filePath: tests).deletingLastPathComponent().path + "/libslow-end.so"
        cluster.environment["DEPTOOL"] = Tools.deptool
        // Servers that send their banner and hang up, or wait. By then OpenSSL keeps something for each host's thread.
        let greeting = #"printf 'SSH-2.0-Test\r\n'"#
        try cluster.write(outside: "ssh_config", "Host *\n  ProxyCommand \(greeting)\n")
        try cluster.write(outside: "waiting", "Host *\n  ProxyCommand \(greeting); exec sleep 20\n")
    }

    /// How runs of the tool end, in words and in the number of runs, of several at a time.
    private func endings(_ run: String) throws -> String {
        let script = """
            run() { LD_PRELOAD=$SLOW_END \(run) >/dev/null 2>&1; }
            for run in $(seq \(Self.rounds)); do
                (run; echo $?) & (run; echo $?) & (run; echo $?) & (run; echo $?) & wait
            done | sort | uniq -c
            """
        return try cluster.startScript("set +e\n" + script).finish(within: .seconds(60 + Self.rounds * 20)).require(0).text
    }

    @Test(arguments: ["sync", "deploy --no-confirm", "ping"]) func `a run that reaches no host ends cleanly`(command: String) throws {
        let endings = try endings("$DEPTOOL \(command) --ssh-config ssh_config")
        #expect(endings.split(separator: " ") == ["\(Self.rounds * 4)", "1\n"], "\(endings)")
    }

    @Test(arguments: ["deploy --no-confirm", "ping"]) func `an interrupted run ends cleanly`(command: String) throws {
        let endings = try endings("timeout --preserve-status -s INT 0.3 env $DEPTOOL \(command) --ssh-config waiting")
        // Left before there was a handler, or by it.
        let statuses = Set(endings.split(separator: "\n").map { $0.split(separator: " ").last })
        #expect(statuses.isSubset(of: ["1", "130"]), "\(endings)")
    }

    /// Or the tool would not notice that the command ends. Only an optimized build ever kept one (see Platform's `FileDescriptor`).
    @Test func `no copy of a proxy command's streams stays in the tool`() throws {
        try cluster.write(
            outside: "proxy", "for end in 0 2; do readlink /proc/$$/fd/$end; done >given; ls -l /proc/$PPID/fd >kept; echo no >&2; exit 1\n"
        )
        try cluster.write(outside: "looking", "Host *\n  ProxyCommand sh \(cluster.directory)/proxy\n")
        _ = try cluster.deptool("ping", "--limit", "host1", "--transport", "libssh2", "--ssh-config", "looking")
        let given = try cluster.run("cat given").split(separator: "\n"), kept = try cluster.run("cat kept").split(separator: "\n")
        #expect(given.count == 2 && given[0].hasPrefix("socket:") && given[1].hasPrefix("pipe:"), "\(given)")
        #expect(!kept.contains { $0.hasSuffix(" \(given[0])") }, "\(kept)")
        // It reads from the other end of the pipe.
        #expect(kept.filter { $0.hasSuffix(" \(given[1])") }.map { $0.prefix(4) } == ["lr-x"], "\(kept)")
    }

    @Test func `help, versions, completions and usage errors end cleanly`() throws {
        for (arguments, code, beginning) in [
            ("--help", 0, "OVERVIEW: "), ("plan --help", 0, "OVERVIEW: "), ("help plan", 0, "OVERVIEW: "),
            ("--generate-completion-script bash", 0, "#!/bin/bash"),
            ("plan --nonsense", 1, "Error: Unknown option"), ("", 0, "OVERVIEW: "), ("ping --count 0", 1, "Error: '--count' takes"),
        ] as [(String, Int32, String)] {
            let output = try cluster.startScript("LD_PRELOAD=$SLOW_END $DEPTOOL \(arguments)").finish()
            #expect(output.code == code, "\(arguments)")
            #expect((code == 0 ? output.text : output.errors).hasPrefix(beginning), "\(arguments)")
            #expect((code == 0 ? output.errors : output.text) == "", "\(arguments)")
        }
    }
}
