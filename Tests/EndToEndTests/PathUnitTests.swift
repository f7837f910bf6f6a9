import Testing

extension EndToEnd {
    /// The manual's advice on watching files.
    @Suite struct PathUnitTests {
        @Test(arguments: Site.Flavour.debians)
        func `a path unit notices a changed copy, but not a changed link target`(flavour: Site.Flavour) throws {
            let site = try Site()
            let cluster = try Cluster(site)
            let host = try site.boot("web1", flavour)
            // Deploys restart the units of an app that changes, so they are another's.
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/linked": "conf"}, "copies": {"/etc/copied": "conf"}}"#)
            try cluster.write("web1/app/conf", "one\n")
            try cluster.write("web1/watch/manifest.json", #"{"systemd": {"units_enabled": ["linked.path", "copied.path"]}}"#)
            for name in ["linked", "copied"] {
                try cluster.write(
                    "web1/watch/systemd/\(name).path", "[Path]\nPathChanged=/etc/\(name)\n[Install]\nWantedBy=multi-user.target\n")
                try cluster.write("web1/watch/systemd/\(name).service", "[Service]\nType=oneshot\nExecStart=/bin/touch /run/\(name)\n")
            }
            try cluster.deploy().require(0)
            try cluster.write("web1/app/conf", "two\n")
            try cluster.deploy().require(0)
            try host.wait(for: "[ -e /run/copied ]")
            #expect(try host.attempt("[ -e /run/linked ]").code == 1)
        }
    }
}
