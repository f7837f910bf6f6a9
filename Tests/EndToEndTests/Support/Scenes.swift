// Base classes for suites with the same scene.

/// An operator, and a host that nothing was ever deployed to.
class OneHost {
    let site: Site
    let cluster: Cluster
    let host: Host

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        host = try site.boot()
    }

    init(_ flavour: Site.Flavour) throws {
        site = try Site()
        cluster = try Cluster(site)
        host = try site.boot("web1", flavour)
    }
}

/// An operator with one of the examples for two name servers, which runs nowhere yet.
class NameServers {
    let site: Site
    let cluster: Cluster
    let ns1, ns2: Host

    init(_ example: String) throws {
        site = try Site()
        cluster = try Cluster(site)
        (ns1, ns2) = try site.boot("ns1", "ns2")
        try cluster.remove("")
        try cluster.copyExample(example)
    }
}
