import Foundation
import Testing

/// Clusters that share a store.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class SeveralClustersTests {
    private let site: Site
    private let cluster: Cluster

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        try cluster.write("web1/app/file", "")
        try cluster.write(outside: "staging/test1/app/file", "")
    }

    @Test func `the default is the one that was named last, by whatever command`() throws {
        #expect(try cluster.deptool("status").text == "web1  new host\n")
        for command in ["plan", "status", "diff"] {
            for (name, host) in [("staging", "test1"), ("prod", "web1")] {
                try cluster.deptool(command, name).require(0)
                #expect(try cluster.deptool("status").text == "\(host)  new host\n")
            }
        }
        // One that cannot be read is nobody's default.
        try cluster.deptool("plan", "nowhere").require(1)
        #expect(try cluster.deptool("status").text == "web1  new host\n")
        try cluster.deptool("init", "staging").require(0)
        #expect(try cluster.deptool("status").text == "test1  new host\n")
    }

    @Test func `a host in two of them is an error, for both`() throws {
        try cluster.deptool("plan", "staging").require(0)
        try cluster.deptool("plan", "prod").require(0)
        try cluster.write(outside: "staging/web1/app/file", "")
        for (name, other) in [("prod", "staging"), ("staging", "prod")] {
            for command in ["plan", "diff", "status", "sync", "deploy"] {
                let output = try cluster.deptool(command, name)
                #expect(output.code == 1)
                expect(
                    output.errors,
                    is: """
                        Error: the host 'web1' is in two clusters, \(cluster.directory)/\(name) and \(cluster.directory)/\(other)
                        Clusters may share a store when their hosts differ. Remove it from one of them.

                        """)
            }
        }
        try FileManager.default.removeItem(atPath: "\(cluster.directory)/staging/web1")
        try cluster.deptool("plan", "prod").require(0)
    }
}
