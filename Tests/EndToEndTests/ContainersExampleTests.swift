import Foundation
import Testing

extension EndToEnd {
    /// `examples/containers`: a database, an application and a proxy as Podman's quadlets, from images without a registry.
    @Suite final class ContainersExampleTests {
        let site: Site
        let cluster: Cluster
        let box1: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            box1 = try site.boot("box1", .podman)
            try cluster.copyExample("containers")
            try buildImages("1")
            try cluster.addOperator()
            try cluster.run("./make-password")
        }

        @Test func `containers start, change and stop like any unit`() throws {
            try cluster.deploy().require(0)
            #expect(try ask() == "Good morning. Visits: 1. This is release 1.\n")
            #expect(
                try box1.run("podman ps --format '{{.Names}} {{.Status}}' | sed 's/ Up.*(/ /; s/)//' | sort") == """
                    db healthy
                    proxy healthy
                    visits healthy

                    """)

            // Only those with the password reach the database, which no disk has in plain text.
            func password() throws -> String { try cluster.run("deptool secret show box1/db/db-password") }
            func visits(with password: String) throws -> String {
                try box1.run(
                    "echo \(password) | podman exec -i db sh -c 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli get visits 2>&1'"
                ).trimmingCharacters(in: .newlines)
            }
            let first = try password()
            #expect(try visits(with: first) == "1")
            #expect(try visits(with: "wrong").contains("NOAUTH"))
            try cluster.run("./make-password")
            try cluster.deploy().require(0)
            #expect(try ask() == "Good morning. Visits: 2. This is release 1.\n")
            #expect(try visits(with: first).contains("NOAUTH"))
            #expect(try visits(with: password()) == "2")
            for value in [first, try password()] {
                let found = try box1.attempt(
                    "grep -rlF \(value) /etc /var /root /tmp /run --exclude-dir=secrets; journalctl -q | grep -F \(value)")
                #expect(found.text == "")
            }

            // A release of the application changes nothing else, and the count continues.
            let others = try [box1.invocation(of: "db"), box1.invocation(of: "proxy")]
            try buildImages("2")
            expect(
                try cluster.deptool("plan").text,
                is: """
                    box1
                        update visits
                            ~ image.tar
                            only root can read it
                            let the group visits read it
                            unseal 1 secret
                            restart unit visits-image.service (image.tar changed)
                            restart unit visits.service (image.tar changed)

                    """)
            try cluster.deploy().require(0)
            #expect(try ask() == "Good morning. Visits: 3. This is release 2.\n")
            #expect(try [box1.invocation(of: "db"), box1.invocation(of: "proxy")] == others)

            // A change of the proxy's configuration is loaded without a restart, and a wrong one as little.
            let proxy = try box1.invocation(of: "proxy")
            try cluster.edit("box1/proxy/nginx.conf", replacing: #"return 200 "well\n""#, with: #"return 200 "better\n""#)
            try cluster.deploy().require(0)
            // nginx replaces its workers after the reload. The application does not see these requests, and does not count them.
            try cluster.run(
                "for i in $(seq 1000); do [ \"$(curl --silent http://\(box1.address)/proxy)\" = better ] && exit; sleep 0.1; done; exit 1")
            #expect(try box1.invocation(of: "proxy") == proxy)

            // One that does not start: the image before is back as well.
            try cluster.run("sed -i 's/^while.*/die \"visits: sorry\\\\n\";\\n&/' visits.pl")
            try buildImages("3")
            let failure = try cluster.deploy().require(3)
            #expect(
                failure.text.contains("  box1: rolled back: unit visits.service "),
                "\(failure)")
            #expect(try box1.run("journalctl --unit visits").contains("visits: sorry"))
            let answer = try ask()
            #expect(answer == "Good morning. Visits: 4. This is release 2.\n")

            // The job, which else a timer starts.
            #expect(try box1.state(of: "backup.timer") == "active")
            try box1.run("systemctl start backup.service")
            #expect(try box1.run("head -c 5 /var/backups/visits/visits.rdb") == "REDIS")

            // And without Deptool, after a power cut.
            try site.kill(box1)
            try site.start(box1)
            try box1.wait(for: "systemctl --quiet is-active proxy.service", within: .seconds(60))
            #expect(try ask().hasSuffix("This is release 2.\n"))

            // The users' data outlives the container.
            try cluster.remove("box1")
            try cluster.deploy("--remove-host", "box1").require(0)
            #expect(try box1.links() == "")
            #expect(try box1.run("podman ps --all --quiet") == "")
            #expect(try box1.run("podman volume ls --format '{{.Name}}'") == "data\n")
        }

        private func buildImages(_ release: String) throws {
            try cluster.startScript(
                """
                root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
                # A mirror may be away for a moment.
                for pause in 0 5 30 60; do sleep $pause; root ./build-images \(release) && exit; done; exit 1
                """
            ).finish(within: .seconds(500)).require(0)
        }

        private func ask() throws -> String {
            try cluster.run("curl --silent --show-error --max-time 20 http://\(box1.address)/")
        }
    }
}
