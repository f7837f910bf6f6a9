import Foundation
import Testing

extension EndToEnd {
    /// Files larger than the memory that the tool may use.
    @Suite final class LargeFileTests: OneHost {
        /// Eight terabytes of nothing, which take hours to read.
        private func makeHole(_ path: String) throws { try host.run("rm -f \(path) && truncate -s 8T \(path)") }

        private func write(_ content: String) throws {
            try cluster.write("web1/app/file", content)
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.link": "file"}, "copies": {"/etc/app.copy": "file"}}"#)
        }

        private func run(_ arguments: String...) throws -> Output {
            let program = try Program(
                [Tools.deptool] + arguments + ["--ssh-config", cluster.sshConfiguration], in: cluster.directory,
                environment: cluster.environment)
            // Reading it would take hours.
            return try program.finish()
        }

        @Test(arguments: ["/etc/app.link", "/etc/app.copy"])
        func `a sparse file at a path of Deptool's is not read`(path: String) throws {
            try write("one\n")
            try run("deploy", "--no-confirm").require(0)
            try write("two\n")
            try run("deploy", "--no-confirm").require(0)
            try makeHole(path)
            let size = try host.run("stat -c %s \(path)")
            #expect(try run("verify", "--exit-code").require(2).text.contains(path))
            #expect(try run("deploy", "--repair", "--no-confirm").require(1).text.contains("Nothing was changed."))
            for change in ["undo", "update", "remove"] {
                if change == "update" { try write("three\n") }
                if change == "remove" {
                    try cluster.remove("web1/app")
                    try cluster.write("web1/other/file", "")
                }
                let output = try run(change == "undo" ? "undo" : "deploy", "--no-confirm")
                // A link that does not change, or goes, is not looked at.
                #expect(output.code == (path.hasSuffix("link") ? 0 : 1), "\(change): \(output)")
                #expect(try host.run("stat -c %s \(path)") == size, "\(change)")
            }
        }

        @Test(arguments: ["/etc/app.link", "/etc/app.copy"])
        func `a sparse file that appears during a deploy does not prevent a rollback`(path: String) throws {
            try write("one\n")
            try cluster.deploy().require(0)
            try write("two\n")
            try cluster.addService(
                "failing", on: "web1", run: "/bin/false",
                before: "/bin/sh -c 'truncate -s 8T /etc/hole && touch -r \(path) /etc/hole && mv /etc/hole \(path)'")
            let output = try run("deploy", "--no-confirm")
            #expect(output.code == (path.hasSuffix("link") ? 3 : 4), "\(output)")
            try host.run("rm \(path)")
            _ = try run("sync")
            #expect(try host.run("cat /var/lib/deptool/apps/app/current/file") == "one\n")
            if path.hasSuffix("copy") { #expect(try host.read(path) == "one\n") }
        }

        @Test(arguments: ["libssh2", "openssh"])
        func `a large file needs little memory`(transport: String) throws {
            let file = "\(cluster.directory)/prod/web1/app/artifact"
            try cluster.write("web1/app/setting", "1\n")
            try cluster.run("head -c 400000000 /dev/urandom >\(file)")
            let deploy = try cluster.start(
                "deploy", "--no-confirm", "--transport", transport, "--ssh-config", cluster.sshConfiguration)
            try deploy.finish(within: .seconds(300)).require(0)
            #expect(deploy.peakMemory < 200_000, "\(deploy.peakMemory) kB")
            let sum = try cluster.run("sha256sum <\(file)")
            #expect(try host.run("sha256sum </var/lib/deptool/apps/app/current/artifact") == sum)
        }
    }
}
