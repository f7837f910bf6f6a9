import Foundation
import Testing

/// A document, and the scene that its first command finds.
struct Page: CustomTestStringConvertible {
    let path: String
    let hosts: [String]
    /// Run beside the tree, with `deptool` in PATH and the hosts in ssh's configuration.
    let scene: String
    var hasStore = true

    var testDescription: String { path }

    static let all = [
        Page(path: "Manual/tutorial.md", hosts: ["web1", "db1"], scene: "", hasStore: false),
        Page(path: "README.md", hosts: ["ns1", "ns2"], scene: nameServers),
        Page(
            path: "Manual/concepts.md", hosts: ["web1"],
            scene: """
                heartbeat web1 10
                deptool deploy --no-confirm
                heartbeat web1 5
                deptool deploy --no-confirm
                heartbeat web1 often
                deptool deploy --no-confirm || [ $? = 3 ]
                """),
        Page(
            path: "Manual/phases.md", hosts: ["web1"],
            scene: """
                heartbeat web1 10
                deptool deploy --no-confirm
                heartbeat web1 5
                site=prod/web1/site
                mkdir -p $site/systemd $site/sysusers $site/tmpfiles
                printf '#!/bin/sh\nuptime >/var/lib/site/report\n' >$site/report
                printf '[Service]\nType=oneshot\nUser=site\nExecStart=/usr/local/bin/report\n' >$site/systemd/site-report.service
                printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' >$site/systemd/site-report.timer
                echo 'u site - "The site"' >$site/sysusers/site.conf
                echo 'd /var/lib/site 0755 site site -' >$site/tmpfiles/site.conf
                echo '{"systemd": {"units_enabled": ["site-report.timer"]}, "symlinks": {"/usr/local/bin/report": "report"}}' \
                    >$site/manifest.json
                """),
        Page(
            path: "Manual/rollback.md", hosts: ["db1", "web1"],
            scene: """
                heartbeat web1 10
                deptool deploy --no-confirm
                heartbeat web1 often
                """),
        Page(path: "Manual/commands.md", hosts: ["db1", "web1"], scene: lived),
        Page(path: "Manual/day-two.md", hosts: ["db1", "web1"], scene: lived),
        Page(
            path: "Manual/operators.md", hosts: ["db1", "web1"],
            scene: """
                heartbeat db1 10
                heartbeat web1 10
                deptool deploy --no-confirm
                mkdir ../Grace
                printf '[user]\n\tname = Grace\n\temail = grace@example.com\n' >../Grace/.gitconfig
                cp -R prod ../Grace
                grace deptool init prod
                grace deptool sync
                for tree in . ../Grace; do
                    (cd $tree && heartbeat web1 5 && sed -i 's/alive/well/' prod/web1/heartbeat/systemd/heartbeat.service)
                done
                """),
        Page(path: "Manual/adopting.md", hosts: ["web1"], scene: ""),
        Page(path: "Manual/secrets.md", hosts: ["web1"], scene: ""),
        Page(path: "Manual/troubleshooting.md", hosts: ["web1"], scene: "heartbeat web1 10"),
        Page(
            path: "Manual/users.md", hosts: ["web1"],
            scene: """
                mkdir .ssh
                cp ../lab/key.pub .ssh/id_ed25519.pub
                """),
        Page(
            path: "Manual/json.md", hosts: ["db1", "web1"],
            scene: """
                heartbeat db1 10
                heartbeat web1 10
                deptool deploy --no-confirm
                heartbeat web1 5
                """),
    ]

    /// Deployed to, changed, and once in vain.
    private static let lived = """
        heartbeat db1 60
        heartbeat web1 60
        deptool deploy --no-confirm
        name 0624fd640d
        heartbeat web1 10
        deptool deploy --no-confirm
        name cfc721a9c7
        heartbeat db1 often
        deptool deploy --no-confirm || [ $? = 3 ]
        name 2474ae8eea
        """

    private static let nameServers = """
        cp -R "$examples/dns/prod/." prod
        deptool deploy --no-confirm
        sed -i 's/192.0.2.80$/192.0.2.81/' prod/*/nsd/zones/example.com.zone
        """
}

extension EndToEnd {
    /// The documents show the real output. With DEPTOOL_TRANSCRIPTS=write, the test writes it into them.
    @Suite final class TranscriptTests {
        let site: Site
        let cluster: Cluster
        private var status: Int32 = 0

        init() throws {
            site = try Site()
            cluster = try Cluster(site, of: "Ada", isInitialized: false)
        }

        @Test(arguments: Page.all) func `every command of a document prints the text below it`(page: Page) throws {
            _ = try site.boot(page.hosts)
            let tools = "\(site.directory)/bin"
            try cluster.write(outside: "../bin/ssh", "#!/bin/sh\nPATH=${PATH#*:}\nexec ssh -F \(site.directory)/ssh_config \"$@\"\n")
            // The settings for all hosts must not come from this machine.
            try cluster.write(
                outside: "../ssh_config",
                """
                Include \(site.lab)/ssh_config
                Host localhost
                  IdentityFile \(site.lab)/key
                  UserKnownHostsFile \(site.lab)/known_hosts
                  GlobalKnownHostsFile none

                """)
            try cluster.run("chmod +x ../bin/ssh; ln -s \(Tools.deptool) ../bin/deptool")
            cluster.environment["PATH"] = "\(tools):\(cluster.environment["PATH"] ?? "")"
            cluster.environment.merge(["PAGER": "cat", "examples": Cluster.examples]) { $1 }
            if page.hasStore { try cluster.deptool("init", "prod").require(0) } else { try cluster.remove("") }
            try run(page.scene)

            var transcript = try Transcript("\(Cluster.examples)/../\(page.path)")
            var differences: [(Range<Int>, String)] = []
            for piece in transcript.pieces {
                switch piece {
                case .hidden(let script): try run(script)
                case .excerpt(let command, let output):
                    let expected = transcript.text(of: output)
                    let actual = try show(command, like: expected)
                    if !Transcript.masked(actual).contains(Transcript.masked(expected)) {
                        Issue.record("\(page.path):\(output.lowerBound): \(command)\n\(expected)\n--- is no part of:\n\(actual)")
                    }
                case .command(let command, let output):
                    let expected = transcript.text(of: output)
                    let actual = try show(command, like: expected)
                    guard Transcript.masked(actual) != Transcript.masked(expected) else { continue }
                    differences.append((output, actual))
                    Issue.record("\(page.path):\(output.lowerBound): $ \(command)\n\(expected)\n--- but it shows:\n\(actual)")
                }
            }
            if ProcessInfo.processInfo.environment["DEPTOOL_TRANSCRIPTS"] == "write" { try transcript.replace(differences) }
        }

        /// Runs an invisible script. In it, `heartbeat HOST INTERVAL` writes the app of the tutorial, and `grace COMMAND` has
        /// another operator do something, `inside HOST SCRIPT` runs a script there as root without SSH, and `name ID` gives the
        /// last commit the document's name.
        private func run(_ script: String) throws {
            try cluster.run(
                """
                inside() { name=$1; shift; "\(Tools.lab)" exec "\(site.lab)" "$name" sh -c "$*"; }
                heartbeat() {
                    app=prod/$1/heartbeat
                    mkdir -p $app/systemd
                    printf 'message="still alive"\nevery=%s\n' "$2" >$app/heartbeat.conf
                    sed -n "/heartbeat <<'END'$/,/^END$/p" "$examples/../Manual/tutorial.md" | sed '1d;$d' >$app/heartbeat
                    chmod +x $app/heartbeat
                    sed -n "/heartbeat.service <<'END'$/,/^END$/p" "$examples/../Manual/tutorial.md" | sed '1d;$d' \
                        >$app/systemd/heartbeat.service
                    echo '{"systemd": {"units_enabled": ["heartbeat.service"]}}' >$app/manifest.json
                }
                grace() { (cd ../Grace && HOME=$PWD "$@"); }
                name() { echo "$1 $(git -C .deptool rev-parse main)" >>../names; }

                """ + script)
        }

        /// The document's names of commits, and their ids here.
        private var names: [(name: String, commit: String)] {
            let text = (try? String(contentsOfFile: "\(site.directory)/names", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").map { ($0.prefix { $0 != " " }.description, $0.suffix(40).description) }
        }

        /// Runs a command on a terminal, as the operator Ada in /home/ada/servers, and returns the content of the screen.
        private func show(_ command: String, like expected: String) throws -> String {
            let names = self.names
            let command = command.replacing(#/\b[0-9a-f]{4,40}\b/#) { word in
                names.first { $0.name.hasPrefix(word.output) }?.commit.prefix(word.output.count) ?? word.output
            }
            let program = try Program(
                ["bash", "-c", "stty cols 160; (exit \(status))\n" + command], in: cluster.directory, environment: cluster.environment,
                console: .terminal)
            var typed: [(after: Int, text: String)] = []
            for (answer, remark) in Transcript.answers(in: expected) {
                if let remark { try program.expect(remark) }
                try program.expect("] ")
                typed.append((program.text.count, answer + "\n"))
                program.type(line: answer)
            }
            var interrupted: [String]?
            if let before = Transcript.interruption(in: expected) {
                try program.expect(before)
                program.type("\u{3}")
                let text = program.text
                interrupted = screen(String(text[..<(text.firstRange(of: before)?.upperBound ?? text.endIndex)]), typed)
            }
            let result = try program.finish()
            status = result.code
            var lines = screen(result.text, typed)
            if let interrupted {
                // A terminal shows the typed text, and the tool ends that line.
                let same = zip(lines, interrupted).prefix { $0 == $1 }.count
                lines.replaceSubrange(same...same, with: interrupted[same...] + ["^C" + lines[same]])
            }
            var text = lines.joined(separator: "\n").replacing(cluster.directory, with: "/home/ada/servers")
                .replacing("\(site.lab)/key", with: "/home/ada/.ssh/id_ed25519")
                .replacing("\(site.lab)/known_hosts", with: "/home/ada/.ssh/known_hosts")
            for (name, commit) in names { text = text.replacing(commit.prefix(10), with: name) }
            return text
        }

        /// The content of the screen, with the typed text.
        private func screen(_ text: String, _ typed: [(after: Int, text: String)]) -> [String] {
            var text = text
            for (after, answer) in typed.reversed() {
                text.insert(contentsOf: answer, at: text.index(text.startIndex, offsetBy: after))
            }
            return Transcript.screen(text).components(separatedBy: "\n")
        }
    }
}
