import Model
import TestSupport
import Testing

@testable import Deployment

@Suite struct HostFilterTests {
    @Test(arguments: [
        ("web1", "web1", true), ("web1", "web", false), ("web", "web1", false), ("web1", "*", true), ("web1", "web*", true),
        ("web1", "*1", true),
        ("web1", "w*b*1", true), ("web1", "web1*", true), ("web1", "*web1", true), ("web1", "**", true), ("web1", "web?", true),
        ("web1", "web??", false),
        ("web1", "????", true), ("web1", "?", false), ("web1", "", false), ("a.b.c", "a.*.c", true), ("abab", "*ab", true),
        ("abac", "*ab", false),
        ("aab", "*ab", true), ("web1", "WEB1", false), ("web-1", "web[-]1", false), ("mississippi", "m*iss*pp?", true),
        ("ab", "*?*?*", true), ("a", "*?*?*", false),
    ])
    func `patterns match as in a shell`(name: String, pattern: String, matches: Bool) {
        #expect(HostFilter.matches(name, pattern) == matches)
    }

    @Test func `a pattern made to be slow is fast`() {
        let name = String(repeating: "a", count: 253)
        let clock = ContinuousClock()
        let took = clock.measure {
            #expect(!HostFilter.matches(name, String(repeating: "*a", count: 120) + "*b"))
            #expect(!HostFilter.matches(name, String(repeating: "*a*?", count: 60) + "b"))
        }
        #expect(took < .seconds(2))
    }

    @Test func `lists have commas and may be repeated`() throws {
        let hosts = try ["db1", "web1", "web2", "x"].map(hostname)
        func chosen(_ lists: [String]) -> [String] { hosts.filter(HostFilter(lists).includes).map(\.text) }
        #expect(chosen([]) == ["db1", "web1", "web2", "x"])
        #expect(chosen(["web*"]) == ["web1", "web2"])
        #expect(chosen(["x,db1"]) == ["db1", "x"])
        #expect(chosen(["x", "web2,,db?"]) == ["db1", "web2", "x"])
        #expect(chosen(["nothing"]) == [])
    }

    // As in `--limit "$HOSTS"` where HOSTS is not set.
    @Test(arguments: ["", ",", ",,"]) func `an empty list is no host, not all`(list: String) throws {
        let host = try hostname("web1")
        #expect(!HostFilter([list]).includes(host))
        #expect(throws: ClusterError.unknownHosts([""], known: [host])) { try HostFilter([list]).check([host]) }
    }

    @Test func `names that match nothing are an error`() throws {
        let hosts = try ["web1", "web2"].map(hostname)
        try HostFilter(["web*,web1"]).check(hosts)
        #expect(throws: ClusterError.unknownHosts(["web3", "db*"], known: hosts)) { try HostFilter(["web3,web1", "db*"]).check(hosts) }
        #expect(throws: ClusterError.noHosts) { try HostFilter.all.check([]) }
    }

    @Test(arguments: ["prod", "with space", "Cluster: x", "grün", "a: b"]) func `a deploy's message names its cluster`(
        cluster: String
    ) throws {
        let hosts = try ["a", "b"].map(hostname)
        let message = DeployMessage.make(.deploy, cluster: cluster, hosts: hosts)
        #expect(message == "Deploy to 2 hosts\n\nCluster: \(cluster)\n")
        #expect(DeployMessage.cluster(of: message) == cluster)
        #expect(DeployMessage.make(.deploy, cluster: cluster, hosts: [hosts[0]]).hasPrefix("Deploy to 1 host\n"))
    }

    @Test func `other messages name no cluster`() {
        #expect(DeployMessage.cluster(of: "") == nil)
        #expect(DeployMessage.cluster(of: "Fix things\n\nSigned-off-by: me\n") == nil)
    }
}
