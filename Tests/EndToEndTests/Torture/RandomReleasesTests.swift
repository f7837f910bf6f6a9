import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Releases of a service, good and bad ones, with every source of a value: a deployed release answers with the new value,
    /// and a rolled back one with the old.
    @Suite final class RandomReleasesTests {
        /// The behaviour of a loaded release. The service reads it, after the number.
        private enum Behaviour: String, CaseIterable {
            case well, slow, refuses, dies, unwell, silent, wrong, once

            var isGood: Bool { self == .well || self == .slow }
        }

        private struct Service {
            /// The number that it answers with.
            var value = 0
            var isUp = false
            /// A rollback tries to start a failed unit, and leaves it failed if that fails.
            var mayComeUp = false
        }

        private let site: Site
        private let cluster: Cluster
        private let hosts: [Host]
        private var services: [String: Service] = [:]
        private var history: [String] = []

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            let (one, other) = try site.boot("web1", "web2")
            hosts = [one, other]
            for host in hosts {
                services[host.name] = Service()
                try cluster.write("\(host.name)/shop/shop.pl", program)
                try cluster.write("\(host.name)/shop/systemd/shop.service", unit)
                for file in ["tls/cert", "shop/conf"] { try cluster.write("\(host.name)/\(file)", "0 well\n") }
                try cluster.write("\(host.name)/shop/env", "FROM_FILE=\"0 well\"\n")
                try cluster.write("\(host.name)/other/systemd/shop.service.d/x.conf", "[Service]\nEnvironment=\"FROM_DROP_IN=0 well\"\n")
            }
        }

        private let program = """
            use IO::Socket::INET;
            my ($listener, $number, $behaviour, $since);
            sub load {
                my @found = grep { defined } @ENV{qw(FROM_FILE FROM_DROP_IN)};
                for my $app (qw(shop/current/conf tls/current/cert)) {
                    open my $file, '<', "/var/lib/deptool/apps/$app" or die;
                    push @found, scalar <$file>;
                }
                ($number, $behaviour) = split ' ', (sort { $b <=> $a } @found)[0];
                $since = time;
                die "I refuse\\n" if $behaviour eq 'refuses';
                open my $loaded, '>', '/run/loaded';
                # Within the time in which a service has to stay up.
                select(undef, undef, undef, 0.1), die "I die\\n" if $behaviour eq 'dies';
                close $listener if $listener;
                $listener = IO::Socket::INET->new(
                    LocalAddr => $behaviour eq 'wrong' ? '127.0.0.1:8081' : '127.0.0.1:8080', Listen => 50, ReuseAddr => 1) or die;
            }
            my $again = 1;
            $SIG{HUP} = sub { $again = 1 };
            while (1) {
                $again = 0, load() if $again;
                vec(my $ready = '', fileno $listener, 1) = 1;
                select($ready, undef, undef, 0.02) > 0 or next;
                my $client = $listener->accept or next;
                my $request = '';
                while ($request !~ /\\r\\n\\r\\n/) { sysread($client, my $more, 4096) or last; $request .= $more }
                sleep 100 if $behaviour eq 'silent';
                my $status = $behaviour eq 'unwell' || $behaviour eq 'slow' && time < $since + 2 ? '503 Unwell' : '200 OK';
                print $client "HTTP/1.1 $status\\r\\nContent-Length: " . length($number) . "\\r\\n\\r\\n$number";
                close $client;
                die "I die\\n" if $behaviour eq 'once';
            }
            """

        private let unit = """
            [Unit]
            StartLimitIntervalSec=0
            [Service]
            Type=exec
            EnvironmentFile=/var/lib/deptool/apps/shop/current/env
            ExecStart=/usr/bin/perl /var/lib/deptool/apps/shop/current/shop.pl
            ExecReload=/bin/sh -c 'rm -f /run/loaded; kill -HUP $MAINPID; while kill -0 $MAINPID && [ ! -e /run/loaded ]; do sleep 0.01; done'
            [Install]
            WantedBy=multi-user.target

            """

        // MARK: Commands of the operator

        /// Some of the rules that reload or restart the service when one of its files changes.
        private func writeManifests(on host: String, _ random: inout Seeded) throws {
            let conf = [#""reload": ["conf"]"#, #""restart": ["conf"]"#, #""reload": ["./"], "restart": ["env"]"#, #""restart": ["env"]"#]
                .randomElement(using: &random)!
            let isNamedHere = Bool.random(using: &random)
            let rules = isNamedHere ? conf.replacing("\": [", with: "\": [\"../tls/cert\", ", maxReplacements: 1) : conf
            try cluster.write(
                "\(host)/shop/manifest.json",
                """
                {"systemd": {"units_enabled": ["shop.service"], "on_change": {"shop.service": {\(rules)}}},
                 "health": [{"http": "http://127.0.0.1:8080/", "within": 4, "timeout": 1, "successes": \(Int.random(in: 1...2, using: &random))}],
                 "checks": [["/bin/grep", "-q", "^[0-9]", "conf"], ["/bin/true"]]}
                """)
            let kind = ["reload", "restart"].randomElement(using: &random)!
            try cluster.write(
                "\(host)/tls/manifest.json",
                isNamedHere ? "{}" : #"{"systemd": {"on_change": {"shop.service": {"\#(kind)": ["./"]}}}}"#)
            history.append("    \(host): \(rules), tls \(isNamedHere ? "-" : kind)")
        }

        private func release(_ number: Int, _ behaviour: Behaviour, on host: String, _ random: inout Seeded) throws {
            let text = "\(number) \(behaviour.rawValue)"
            let (file, content) = [
                ("shop/conf", text + "\n"), ("tls/cert", text + "\n"), ("shop/env", "FROM_FILE=\"\(text)\"\n"),
                ("other/systemd/shop.service.d/x.conf", "[Service]\nEnvironment=\"FROM_DROP_IN=\(text)\"\n"),
            ].randomElement(using: &random)!
            try cluster.write("\(host)/\(file)", content)
            history.append("    \(host): \(file) = \(text)")
        }

        private func disturb(_ host: Host, _ random: inout Seeded) throws {
            guard services[host.name]?.isUp == true else { return }
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                try host.run("systemctl stop shop")
                services[host.name]?.isUp = false
            case 1:
                try host.run("systemctl kill --kill-whom=main --signal=KILL shop")
                try host.wait(for: "[ $(systemctl is-active shop) = failed ]")
                services[host.name]?.isUp = false
                services[host.name]?.mayComeUp = true
            default: return
            }
            history.append("    \(host.name): down")
        }

        private func run(_ number: Int, _ random: inout Seeded) throws {
            history.append("run \(number)")
            var behaviours: [String: Behaviour] = [:]
            for host in hosts {
                let behaviour = number == 1 || Bool.random(using: &random) ? .well : Behaviour.allCases.randomElement(using: &random)!
                if Int.random(in: 0..<4, using: &random) == 0 || number == 1 { try writeManifests(on: host.name, &random) }
                try disturb(host, &random)
                try release(number, behaviour, on: host.name, &random)
                behaviours[host.name] = behaviour
            }
            let isAtomic = Bool.random(using: &random)
            let isGood = behaviours.values.allSatisfy(\.isGood)
            let output = try cluster.deploy(isAtomic ? ["--atomic"] : [])
            try check(output.code == (isGood ? 0 : 3), "exit \(output.code)\n\(output)")
            let before = services
            for (host, behaviour) in behaviours where behaviour.isGood && (isGood || !isAtomic) {
                services[host] = Service(value: number, isUp: true)
            }
            try checkAnswers("\(output)")
            if number > 1, isGood, before.values.allSatisfy(\.isUp), Int.random(in: 0..<4, using: &random) == 0 {
                history.append("undo")
                let output = try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration)
                try check(output.code == 0, "\(output)")
                services = before
                try checkAnswers("\(output)")
            }
        }

        // MARK: Results

        private struct Wrong: Error, CustomStringConvertible { var description: String }

        private func check(_ condition: Bool, _ what: @autoclosure () -> String) throws {
            if !condition { throw Wrong(description: what()) }
        }

        private func checkAnswers(_ output: String) throws {
            for host in hosts {
                let answer = try host.run(
                    #"perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:8080") or print("down"), exit; print $s "GET / HTTP/1.0\r\n\r\n"; local $/; print(<$s> =~ s/ .*\r\n\r\n/ /sr)'"#
                )
                let service = services[host.name] ?? Service()
                if service.mayComeUp, answer != "down" {
                    services[host.name]?.isUp = true
                    services[host.name]?.mayComeUp = false
                }
                let wanted = services[host.name]?.isUp == true ? "HTTP/1.1 \(service.value)" : "down"
                try check(answer == wanted, "\(host.name) answers \(answer), not \(wanted)\n\(output)")
            }
        }

        @Test func `a deployed host answers with the new release, a rolled back one with the old`() throws {
            var random = Seeded()
            let count = Torture.isWhole ? 500 : 5
            do {
                for number in 1...count { try run(number, &random) }
            } catch {
                Issue.record("seed \(random.seed): \(error)\n\(history.suffix(60).joined(separator: "\n"))")
            }
            print("random releases, seed \(random.seed): \(count) deploys to two hosts")
        }
    }
}
