import Foundation
import Testing

extension EndToEnd {
    /// An operator whose clock is decades off deploys like anybody else.
    @Suite final class ClockTests {
        private static let decade = 10 * 365 * 86400

        @Test(arguments: [-4 * decade, 6 * decade])
        func `a deploy works with an operator's clock that is decades off`(ahead: Int) throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot()
            let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let library = URL(filePath: tests).deletingLastPathComponent().path + "/libwrong-clock.so"
            let right = cluster.environment
            let wrong = right.merging(["LD_PRELOAD": library, "DEPTOOL_CLOCK": "\(ahead)"]) { $1 }
            func expectRunning(_ content: String) throws {
                #expect(try host.read("/var/lib/deptool/apps/web/current/conf") == content)
                #expect(try cluster.deptool("plan").require(0).text.hasPrefix("Nothing to do"))
                let verify = try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration)
                #expect(verify.code == 0, "\(verify)")
            }
            try cluster.addService("web", on: "web1")
            try cluster.write("web1/web/conf", "1\n")
            cluster.environment = wrong
            // It is wrong indeed.
            let year = try #require(Int(cluster.run("date +%Y").prefix(4)))
            #expect(abs(year - Calendar(identifier: .gregorian).component(.year, from: Date())) > 30)
            try cluster.deploy().require(0)
            try expectRunning("1\n")
            // Then it is right, and wrong again.
            cluster.environment = right
            try cluster.write("web1/web/conf", "2\n")
            try cluster.deploy().require(0)
            try expectRunning("2\n")
            cluster.environment = wrong
            try cluster.write("web1/web/conf", "3\n")
            try cluster.addService("web", on: "web1", run: "/bin/false")
            #expect(try cluster.deploy().code == 3)
            #expect(try host.read("/var/lib/deptool/apps/web/current/conf") == "2\n")
            try cluster.addService("web", on: "web1")
            try cluster.deploy("--atomic", "--guard", "always").require(0)
            try expectRunning("3\n")
            // The log has the order in which it happened.
            let log = try cluster.deptool("log").require(0).text.split(separator: "\n")
            let ends = log.filter { $0.hasPrefix(" ") }.map { $0.contains("rolled back") ? "rolled back" : "done" }
            #expect(ends == ["done", "rolled back", "done", "done"], "\(log)")
            // undo finds the deploy before.
            let undo = try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration)
            #expect(undo.code == 0, "\(undo)")
            #expect(try host.read("/var/lib/deptool/apps/web/current/conf") == "2\n")
        }
    }
}
