import Foundation
import Testing

extension EndToEnd {
    /// Files of which Podman makes units.
    @Suite struct QuadletTests {
        @Test func `a quadlet that Podman rejects fails the deploy, with Podman's message`() throws {
            let scene = try OneHost(.podman)
            let (cluster, host) = (scene.cluster, scene.host)
            try cluster.write("web1/web/quadlets/web.network", "[Network]\n")
            try cluster.write("web1/web/quadlets/data.volume", "[Volume]\n")
            try cluster.write("web1/web/quadlets/named.network", "[Network]\nServiceName=another-name\n")
            try cluster.write("web1/web/quadlets/work@.container", "[Container]\nImage=localhost/none\n")
            try cluster.write("web1/web/quadlets/web.container", "[Container]\nImage=localhost/none\nPublishPort=80:80\n")
            try cluster.write("web1/web/quadlets/web.container.d/10.conf", "[Container]\nUser=1000\n")
            try cluster.deploy().require(0)
            let (before, files) = (try host.units(), try host.snapshot())

            for (name, content, complaint) in [
                ("web.container", "[Container]\nImage=localhost/none\nPublish=80:80\n", "unsupported key 'Publish'"),
                ("data.volume", "[Volume]\nNonsense=1\n", "unsupported key 'Nonsense'"),
                ("bare.container", "[Container]\n", "no Image"),
            ] {
                try cluster.write("web1/web/quadlets/\(name)", content)
                let output = try cluster.deploy().require(3)
                #expect(output.text.contains("\nweb1: Podman generates no unit from /etc/containers/systemd/\(name):\n    | "), "\(output)")
                #expect(output.text.contains(complaint), "\(output)")
                #expect(output.text.contains("The previous state is back."), "\(output)")
                expect(try host.units(), is: before)
                expect(try host.snapshot(), is: files)
                try cluster.write("web1/web/quadlets/data.volume", "[Volume]\n")
                try cluster.write("web1/web/quadlets/web.container", "[Container]\nImage=localhost/none\nPublishPort=80:80\n")
            }
        }

        @Test(arguments: Site.Flavour.debians)
        func `a host without Podman is named before anything changes`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            let before = try host.units()
            try cluster.write("web1/web/quadlets/web.network", "[Network]\n")
            let output = try cluster.deploy().require(1)
            expect(
                output.stable.split(separator: "\n\n").suffix(2).joined(separator: "\n\n"),
                is: """
                    web1: no Podman that supports quadlets.
                    Install Podman 4.4 or later on the host, then deploy again.

                    Nothing was changed.

                    """)
            expect(try host.units(), is: before)
        }
    }
}
