import Testing

extension EndToEnd {
    /// `examples/app-release`: a program of 50 MB behind a socket that stays.
    @Suite final class AppReleaseExampleTests {
        let site: Site
        let cluster: Cluster
        let app1: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            app1 = try site.boot("app1")
            try cluster.copyExample("app-release")
            try cluster.run("./build-release 1")
            try cluster.addOperator()
            try cluster.run("deptool secret generate app1/shop/db-password")
        }

        @Test func `releases are deployed and removed, and every request is answered`() throws {
            try cluster.deploy().require(0)
            #expect(try ask() == "Good morning, this is release 1\n")
            let password = try cluster.run("deptool secret show app1/shop/db-password")
            #expect(try app1.run("cat /run/credentials/shop.service/db-password") == password && password.count == 32)
            // Where systemd takes dynamic users from.
            let user = try app1.run("stat -c %u /proc/$(systemctl show --value -p MainPID shop)").dropLast()
            #expect((61184...65519).contains(Int(user) ?? 0))

            let client = try cluster.startScript(
                """
                until [ -e stop ]; do
                    curl --silent --show-error --max-time 20 http://\(app1.address):8080/ || echo failed $?
                done
                """)
            try client.expect("release 1\n")

            // A release, and a fast undo: files that the host has are not sent again.
            try cluster.run("./build-release 2")
            let first = try app1.received()
            try cluster.deploy().require(0)
            #expect(try app1.received() - first > 50_000_000)
            try client.expect("release 2\n")
            let second = try app1.received()
            try cluster.run("rm -r prod/app1 && git -C .deptool archive main~1 app1 | tar -x -C prod")
            let output = try cluster.deploy()
            expect(
                output.stable.split(separator: "\n\n")[0] + "\n",
                is: """
                    app1
                        update shop
                            ~ shop
                            restart unit shop.service (shop changed)
                            probe http://127.0.0.1:8080/

                    """)
            #expect(output.code == 0)
            #expect(try app1.received() - second < 1_000_000)
            try client.expect("release 1\n")

            // A release that does not start.
            try cluster.write("app1/shop/shop.conf", "greeting=\n")
            let failure = try cluster.deploy().require(3)
            #expect(failure.text.contains("shop: shop.conf has no greeting\n"), "\(failure)")
            #expect(failure.text.contains("\nThe previous state is back and passes its probe.\n"))
            #expect(try ask() == "Good morning, this is release 1\n")
            try client.expect("release 1\n")

            // One that starts, and cannot do its work.
            try cluster.write("app1/shop/shop.conf", "greeting=Good morning\n")
            try cluster.run("sed -i '0,/200 OK/s//503 Service Unavailable/' prod/app1/shop/shop")
            let refusal = try cluster.deploy().require(3)
            #expect(refusal.text.contains("app1: rolled back: http://127.0.0.1:8080/ gave the wrong answer: 503\n"), "\(refusal)")
            #expect(try cluster.run("curl --silent --fail http://\(app1.address):8080/") == "Good morning, this is release 1\n")
            try client.expect("release 1\n")

            try cluster.write(outside: "stop", "")
            let answers = Set(try client.finish().require(0).text.split(separator: "\n"))
            #expect(answers == ["Good morning, this is release 1", "Good morning, this is release 2"])

            try cluster.remove("app1")
            try cluster.deploy("--remove-host", "app1").require(0)
            #expect(try app1.links() == "")
            #expect(try app1.attempt("ls /var/lib/deptool/apps").text == "")
            #expect(try app1.state(of: "shop.socket") == "inactive")
        }

        private func ask() throws -> String {
            try cluster.run("curl --silent --show-error --max-time 20 http://\(app1.address):8080/")
        }
    }
}

extension Host {
    /// Bytes that arrived over the network since the host booted.
    fileprivate func received() throws -> Int {
        try Int(run("awk '/host0:/ { print $2 }' /proc/net/dev").dropLast()) ?? 0
    }
}
