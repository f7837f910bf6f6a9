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

    @Test func `the default is the cluster named last with any command`() throws {
        #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: new host\n")
        for command in [["plan"], ["status", "--offline"], ["diff"]] {
            for (name, host) in [("staging", "test1"), ("prod", "web1")] {
                try cluster.run("'\(Tools.deptool)' \(command.joined(separator: " ")) \(name)")
                #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    \(host): new host\n")
            }
        }
        // An unreadable one does not become the default.
        try cluster.deptool("plan", "nowhere").require(1)
        #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: new host\n")
        try cluster.deptool("init", "staging").require(0)
        #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    test1: new host\n")
    }

    @Test func `a host in two clusters is an error in both`() throws {
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
                        Error: the host 'web1' is in two clusters, \(name) and \(other)
                        Clusters may share a store when their hosts differ. Remove it from one of them.

                        """)
            }
        }
        try FileManager.default.removeItem(atPath: "\(cluster.directory)/staging/web1")
        try cluster.deptool("plan", "prod").require(0)
    }

    @Test func `a directory inside or around a cluster is not a cluster`() throws {
        try cluster.deptool("plan", "prod").require(0)
        let rule = "\nName the directory that holds one directory per host."
        let hint = " If the other one was a mistake, remove it from deptool.clusters in \(cluster.directory)/.deptool/config."
        for (name, complaint) in [
            ("prod/web1", "\(cluster.directory)/prod/web1 is inside the cluster \(cluster.directory)/prod\(rule)"),
            (".", "\(cluster.directory) is around the cluster \(cluster.directory)/prod\(rule)\(hint)"),
        ] {
            let output = try cluster.deptool("plan", name)
            #expect(output.code == 1)
            expect(output.errors, is: "Error: \(complaint)\n")
            #expect(try cluster.deptool("init", name).code == 1)
        }
        #expect(try cluster.deptool("status", "--offline").text == "Undeployed changes:\n    web1: new host\n")
    }

    @Test func `a host of another cluster is not removed`() throws {
        try cluster.deptool("plan", "prod").require(0)
        try pretendDeploy()
        #expect(try cluster.deptool("status", "--offline").text.contains("new host") == false)
        let output = try cluster.deptool("deploy", "staging", "--remove-host", "web1")
        #expect(output.code == 1)
        expect(
            output.errors,
            is: """
                Error: the host 'web1' is in the config tree
                `--remove-host` empties hosts that are not. Remove the directory prod/web1 first.

                """)
    }

    @Test func `the last host removed from the tree is still named`() throws {
        try cluster.deptool("plan", "prod").require(0)
        try pretendDeploy()
        try cluster.remove("web1")
        let named = "\nNot in the config tree any more, but still deployed:\n    web1\n"
        #expect(try cluster.deptool("plan").require(0).text.hasPrefix(named))
        #expect(try cluster.deptool("plan", "--limit", "web1").require(0).text.hasPrefix(named))
        #expect(try cluster.deptool("status", "--offline").require(0).text == String(named.dropFirst()))
        let output = try cluster.deptool("plan", "--limit", "web2")
        #expect(output.errors == "Error: no host matches 'web2'\nDid you mean 'web1'? The hosts are: web1\n")
        try cluster.deptool("forget", "web1").require(0)
        #expect(try cluster.deptool("plan").errors.hasPrefix("Error: there are no hosts in "))
    }

    /// Records in the store that all of `prod` was deployed to `web1`.
    private func pretendDeploy() throws {
        try Program(
            [
                "sh", "-ec",
                """
                export GIT_DIR=.deptool
                git --work-tree=prod add -A
                commit=$(printf 'x\n\nCluster: prod\n' | git commit-tree $(git write-tree))
                git update-ref refs/remotes/web1 $commit
                rm .deptool/index
                """,
            ], in: cluster.directory, environment: cluster.environment
        ).finish().require(0)
    }
}
