import Foundation
import Testing

extension EndToEnd {
    /// Editing a file of the tree and deploying it.
    @Suite final class EditTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            try cluster.write("web1/app/conf", "old\n")
            try cluster.write("web2/app/conf", "old\n")
        }

        /// Runs `edit` with an editor that does this to the file `$1`.
        private func edit(
            _ file: String, _ script: String, _ more: [String] = ["--plan-only"], in directory: String = "",
            on console: Program.Console = .pipes
        ) throws -> Program {
            try cluster.write(outside: "editor", "set -e; \(script)\n")
            let environment = cluster.environment.merging(["EDITOR": "sh '\(cluster.directory)/editor'"]) { $1 }
            return try Program(
                [Tools.deptool, "edit", file, "--ssh-config", cluster.sshConfiguration] + more, in: cluster.directory + directory,
                environment: environment, console: console)
        }

        private let change = "echo new >\"$1\""

        @Test func `the edited file is deployed to its host after the prompt, and to no other`() throws {
            let hosts = try site.boot(["web1", "web2"])
            try cluster.write("web1/other/conf", "old\n")
            try cluster.deploy().require(0)
            for path in ["web2/app/conf", "web1/other/conf"] { try cluster.write(path, "not yet\n") }
            let program = try edit("web1/app/conf", change, [], on: .terminal)
            try program.expect("    update app\n")
            try program.expect("Apply to 1 host in cluster 'prod'? [y/N/d] ")
            program.type(line: "y")
            try program.finish().require(0)
            #expect(try hosts.map { try $0.read("/var/lib/deptool/apps/app/current/conf") } == ["new\n", "old\n"])
            #expect(try hosts[0].read("/var/lib/deptool/apps/other/current/conf") == "old\n")
            #expect(try cluster.deptool("plan", "--limit", "web1").text == "web1\n    update other\n        ~ conf\n")
        }

        @Test func `paths may be typed from any directory, with or without the cluster`() throws {
            for (path, directory) in [
                ("web1/app/conf", ""), ("prod/web1/app/conf", ""), ("./prod/../prod/web1/app/conf", ""), ("conf", "/prod/web1/app"),
                ("../app/conf", "/prod/web1/app"), ("\(cluster.directory)/prod/web1/app/conf", "/prod"), ("web1/app/conf", "/prod"),
                ("web1/app/./conf", ""),
            ] {
                try cluster.write("web1/app/conf", "old\n")
                let output = try edit(path, change, in: directory).finish().require(0)
                #expect(output.text == "web1 (new host)\n    add app\n        + conf\n", "\(path): \(output)")
                #expect(try cluster.read("web1/app/conf") == "new\n")
            }
        }

        @Test func `a sealed file is left to the command for secrets`() throws {
            try cluster.write("web1/app/secrets/key.age", "")
            #expect(
                try edit("web1/app/secrets/key.age", "touch edited").finish().require(1).errors
                    == "Error: web1/app/secrets/key.age is for a sealed file\nRun `deptool secret edit web1/app/key`.\n")
            #expect(try !cluster.run("ls").contains("edited"))
        }

        @Test func `an unchanged file or a failing editor makes no plan`() throws {
            #expect(try edit("prod/web1/app/conf", "touch \"$1\"").finish().require(0).text == "prod/web1/app/conf is unchanged.\n")
            #expect(
                try edit("web1/app/conf", "exit 1").finish().require(1)
                    == Output(code: 1, text: "", errors: "Error: the editor failed, so nothing was planned\n"))
            let killed = try edit("web1/app/conf", "\(change); kill -9 $$").finish().require(1)
            #expect(
                killed.errors.hasSuffix(
                    "Error: the editor failed, so nothing was planned\nIt saved web1/app/conf before; `deptool plan` shows what that changes.\n"
                ),
                "\(killed)")
            // A new file that is not saved leaves nothing.
            for script in ["true", "exit 3"] {
                _ = try edit("web1/new/deep/er/conf", script).finish()
                #expect(try cluster.run("ls prod/web1") == "app\n")
            }
            let left = try edit("web1/new/deep/er/conf", "echo edits; exec sleep 20", on: .terminal)
            try left.expect("edits")
            #expect(try cluster.run("ls prod/web1") == "app\nnew\n")
            _ = try left.hangUp(within: .seconds(60))
            #expect(try cluster.run("ls prod/web1") == "app\n")
            let missing = try Program(
                [Tools.deptool, "edit", "web1/app/conf"], in: cluster.directory,
                environment: cluster.environment.merging(["VISUAL": "/none/editor", "EDITOR": "true"]) { $1 }
            ).finish().require(1)
            #expect(missing.errors.hasSuffix("Error: the editor failed, so nothing was planned\n"), "\(missing)")
        }

        @Test func `a new file, a new app and the host's own file can be edited, also in a tree with a mistake`() throws {
            #expect(try edit("web1/new/deep/er/conf", change).finish().require(0).text.contains("    add new\n        + deep/er/conf\n"))
            try edit("web1/host.json", "echo '{}' >\"$1\"").finish().require(0)
            #expect(try cluster.read("web1/host.json") == "{}\n")
            try cluster.write("web2/app/manifest.json", "{")
            #expect(try edit("web2/app/manifest.json", "echo '{}' >\"$1\"").finish().require(0).text.hasPrefix("web2 (new host)\n"))
            let mistake = try edit("web2/app/manifest.json", "echo '[]' >\"$1\"").finish().require(1)
            #expect(mistake.errors.hasPrefix("Error: prod/web2/app/manifest.json:1: "), "\(mistake)")
            #expect(try cluster.read("web2/app/manifest.json") == "[]\n")
        }

        @Test func `a shared file goes to all hosts that have it`() throws {
            try cluster.write(outside: "shared/conf", "old\n")
            for host in ["web1", "web2"] { try cluster.run("ln -s ../../../shared/conf prod/\(host)/app/shared") }
            try cluster.write("web3/app/conf", "apart\n")
            let output = try edit("web2/app/shared", change).finish().require(0)
            #expect(
                output.text.contains("web1 (new host)") && output.text.contains("web2 (new host)") && !output.text.contains("web3"),
                "\(output)")
            #expect(try cluster.run("cat shared/conf; readlink prod/web2/app/shared") == "new\n../../../shared/conf\n")
        }

        @Test func `a symlink that a deploy would not follow is an error before the editor runs`() throws {
            try cluster.write(outside: "secret", "elsewhere\n")
            try cluster.run(
                """
                mkdir -p prod/web1/links shared/dir && git init -q . && cd prod/web1/links
                ln -s ../../../shared/none dangling; ln -s ../../../shared/none/deep nowhere
                ln -s '\(site.directory)/stolen' absolute; ln -s ../../../../stolen above; ln -s /etc/passwd passwd
                ln -s '\(site.directory)' out; ln -s loop loop; ln -s ../../../.git/config git; ln -s ../../../.deptool/config store
                ln -s ../../../shared/dir dir; mkfifo ../../../shared/fifo; ln -s ../../../shared/fifo fifo; ln -s ../../../shared/../../above up
                ln -s ../../shared/none ../gone; ln -s / ../root
                """)
            let listing = "find '\(site.directory)' -not -name editor | sort"
            let before = try cluster.run(listing)
            for (path, problem) in [
                ("links/dangling", "leads to nothing"), ("links/nowhere", "leads to nothing"), ("links/absolute", "leads out of "),
                ("links/above", "leads out of "), ("links/passwd", "leads out of "), ("links/out", "leads out of "),
                ("links/out/stolen", "leads out of "), ("links/out/deep/er", "leads out of "), ("links/loop", "leads in a circle"),
                ("links/git", "leads into .git"), ("links/store", "leads to the store"),
                ("links/fifo", "leads to something that is neither a file nor a directory"), ("links/up", "leads out of "),
                ("gone/conf", "leads to nothing"), ("root/etc/passwd", "leads out of "), ("root/etc/new", "leads out of "),
            ] {
                let output = try edit("web1/\(path)", "touch '\(site.directory)/ran'").finish().require(1)
                #expect(
                    output.errors.hasPrefix("Error: prod/web1/") && output.errors.contains(" is a symlink that \(problem)"),
                    "\(path): \(output)")
            }
            expect(try cluster.run(listing), is: before)
            // A new file below a symlink to a directory is made where that leads.
            try cluster.run("cd prod/web1/links; rm dangling nowhere absolute above passwd out loop git store fifo up; rm ../gone ../root")
            let output = try edit("web1/links/dir/new", change).finish().require(0)
            #expect(try output.text.contains("+ dir/new") && cluster.run("cat shared/dir/new") == "new\n", "\(output)")
        }

        @Test func `a path that is not a file of a host is an error before the editor runs`() throws {
            let none = "Error: there is no host "
            for (path, problem) in [
                ("web9/app/conf", none + "'web9' in "), ("web1", "Error: web1 is no file of an app"),
                ("web1/README", "Error: web1/README is no file of an app"),
                ("web1/app", "Error: web1/app is no file of an app"), ("web1/a b/c", "Error: web1/a b/c is no file of an app"),
                ("web1/app/conf/x/y", "Error: \(cluster.directory)/prod/web1/app/conf is not a directory\n"),
                ("/etc/passwd", "Error: /etc/passwd is not in "), ("../../etc/passwd", "Error: ../../etc/passwd is not in "),
                ("web1/app/../../../x", "Error: web1/app/../../../x is not in "), ("", "Error: "), ("-x y/\u{1b}[31m/z", "Error: "),
            ] {
                let output = try edit(path, "touch '\(cluster.directory)/ran'").finish().require(1)
                #expect(output.errors.hasPrefix(problem), "\(path): \(output)")
                #expect(!output.errors.contains("\u{1b}"))
            }
            try cluster.write("web1/app/d/x", "")
            #expect(try edit("web1/app/d", "true").finish().require(1).errors.hasPrefix("Error: web1/app/d is a directory\n"))
            try cluster.deptool("init", "--render", "make prod").require(0)
            let rendered = try edit("web1/app/conf", "touch '\(cluster.directory)/ran'").finish().require(1)
            #expect(rendered.errors.hasPrefix("Error: the render hook `make prod` makes the config tree, and would undo the edit\n"))
            #expect(try cluster.run("ls").contains("ran") == false)
            #expect(try edit("web1/app/conf", change, ["--plan-only", "--no-render"]).finish().require(0).text.contains("+ conf"))
        }
    }
}
