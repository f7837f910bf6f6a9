import Foundation
import Testing

extension EndToEnd {
    /// Sockets, and the services that they start.
    @Suite struct SocketTests {
        private enum Kind: String, CaseIterable {
            /// One service takes all connections.
            case one
            /// One service, which is listed like its socket.
            case both
            /// Each connection has a service.
            case each
        }

        private func write(_ cluster: Cluster, _ kind: Kind, _ number: Int) throws {
            let units = kind == .both ? #""echo.socket", "echo.service""# : #""echo.socket""#
            try cluster.write("web1/echo/manifest.json", #"{"systemd": {"units_enabled": [\#(units)]}}"#)
            try cluster.write("web1/echo/echo.conf", "\(number)\n")
            try cluster.write(
                "web1/echo/systemd/echo.socket",
                "[Socket]\nListenStream=/run/echo.sock\nAccept=\(kind == .each ? "yes" : "no")\n[Install]\nWantedBy=sockets.target\n")
            let file = kind == .each ? "echo@.service" : "echo.service"
            let run = kind == .each ? "ExecStart=/bin/cat\nStandardInput=socket" : "ExecStart=/bin/sleep infinity"
            try cluster.write("web1/echo/systemd/\(file)", "[Service]\n\(run)\n[Install]\nWantedBy=multi-user.target\n")
        }

        /// Has the socket start its service.
        private func connect(_ host: Host, _ kind: Kind) throws {
            let client = "perl -MIO::Socket::UNIX -e 'push @s, IO::Socket::UNIX->new(Peer => \"/run/echo.sock\") or die; sleep 600'"
            try host.run("systemd-run --quiet --unit=client \(client)")
            try host.wait(for: "systemctl list-units --plain --no-legend 'echo*.service' | grep -q running")
        }

        @Test func `a socket-activated service that fails again is named`() throws {
            let scene = try OneHost(.debian13)
            let (cluster, host) = (scene.cluster, scene.host)
            func write(_ service: String) throws {
                try cluster.write("web1/echo/manifest.json", #"{"systemd": {"units_enabled": ["echo.socket", "echo.service"]}}"#)
                try cluster.write(
                    "web1/echo/systemd/echo.socket", "[Socket]\nListenStream=/run/echo.sock\n[Install]\nWantedBy=sockets.target\n")
                try cluster.write(
                    "web1/echo/systemd/echo.service",
                    "[Unit]\nStartLimitIntervalSec=0\n[Service]\n\(service)\n[Install]\nWantedBy=multi-user.target\n")
            }
            try write("ExecStart=/bin/sleep infinity")
            try cluster.deploy().require(0)
            let client = "while (1) { push @s, IO::Socket::UNIX->new(Peer => \"/run/echo.sock\"); select undef, undef, undef, 0.1 }"
            try host.run("systemd-run --quiet perl -MIO::Socket::UNIX -e '\(client)'")
            // It is still ending when systemd has reported the failure and the socket has started it.
            try write("Type=notify\nExecStart=/bin/sh -c 'echo I will not'\nExecStopPost=/bin/sleep 1")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("web1: rolled back: unit echo.service "), "\(output)")
            #expect(output.text.contains("| I will not\n"), "\(output)")
        }

        @Test(arguments: Site.Flavour.debians, Kind.allCases.map(\.rawValue))
        func `a socket whose service runs can be deployed repeatedly`(flavour: Site.Flavour, kind: String) throws {
            let kind = try #require(Kind(rawValue: kind))
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            try write(cluster, kind, 0)
            try cluster.deploy().require(0)
            if kind != .both { try connect(host, kind) }
            let before = try host.units()
            for number in 1...6 {
                try write(cluster, kind, number)
                let output = try cluster.deploy().require(0)
                #expect(output.text.contains("restart unit echo.socket and its service (echo.conf changed)"), "\(output)")
                expect(try host.units(), is: before)
            }
            // A failed unit stops no other.
            try write(cluster, kind, 7)
            try cluster.addService("zfails", on: "web1", run: "/bin/false")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back."), "\(output)")
            expect(try host.units(), is: before)
            try cluster.remove("web1/zfails")
            try cluster.deploy().require(0)
            expect(try host.units(), is: before)
        }

        @Test(arguments: Site.Flavour.debians)
        func `a service started by a new socket stops with it`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            let before = try host.units()
            try write(cluster, .one, 0)
            // It fails once the socket has started its service.
            try cluster.addService("zfails", on: "web1", run: "/bin/false", before: "/bin/systemctl start echo.service")
            let output = try cluster.deploy().require(3)
            #expect(output.text.contains("The previous state is back."), "\(output)")
            expect(try host.units(), is: before)
        }
    }

    /// Units that do not let themselves be started or stopped by hand.
    @Suite struct RefusalTests {
        private func write(_ cluster: Cluster, _ unit: String, _ number: Int = 0) throws {
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["app.service"]}}"#)
            try cluster.write("web1/app/app.conf", "\(number)\n")
            try cluster.write(
                "web1/app/systemd/app.service",
                "[Unit]\n\(unit)\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
        }

        @Test(arguments: Site.Flavour.debians)
        func `a unit that cannot be stopped is started, and named before anything changes`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            try write(cluster, "RefuseManualStop=yes")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
            let (before, files) = (try host.units(), try host.snapshot())

            try write(cluster, "RefuseManualStop=yes", 1)
            try cluster.addService("another", on: "web1")
            let output = try cluster.deploy().require(1)
            expect(
                output.stable.split(separator: "\n\n").suffix(2).joined(separator: "\n\n"),
                is: """
                    web1: unit app.service runs and has to be restarted or stopped, and systemd refuses that (RefuseManualStop=yes).
                    Take app.service out of "units_enabled", or reboot the host after its configuration has changed.

                    Nothing was changed.

                    """)
            try cluster.remove("web1/app")
            #expect(try cluster.deploy().require(1).text.contains("refuses that (RefuseManualStop=yes)"))
            expect(try host.units(), is: before)
            expect(try host.snapshot(), is: files)
        }

        @Test(arguments: Site.Flavour.debians)
        func `a unit that cannot be started is named before anything changes`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            let before = try host.units()
            try write(cluster, "RefuseManualStart=yes")
            let output = try cluster.deploy().require(1)
            #expect(
                output.text.contains("unit app.service has to be started, and systemd refuses that (RefuseManualStart=yes)"), "\(output)")
            expect(try host.units(), is: before)
            // A distribution's unit, with a drop-in of the app's.
            try cluster.remove("web1/app")
            try cluster.write("web1/app/manifest.json", #"{"systemd": {"units_enabled": ["nsd.service"]}}"#)
            try cluster.write("web1/app/systemd/nsd.service.d/10-refuse.conf", "[Unit]\nRefuseManualStart=yes\n")
            #expect(try cluster.deploy().require(1).text.contains("unit nsd.service has to be started, and systemd refuses that"))
            expect(try host.units(), is: before)
        }
    }

    /// Units that run already when they become listed.
    @Suite struct AdoptedUnitTests {
        @Test(arguments: Site.Flavour.debians)
        func `an unchanged unit keeps running, and a changed one restarts`(flavour: Site.Flavour) throws {
            let scene = try OneHost(flavour)
            let (cluster, host) = (scene.cluster, scene.host)
            let unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
            for name in ["own", "other"] { try host.write("/etc/systemd/system/\(name).service", unit) }
            try host.write("/etc/own.conf", "same\n")
            try host.run("systemctl daemon-reload; systemctl enable --now own other")
            let (own, other) = (try host.invocation(of: "own"), try host.invocation(of: "other"))

            // All files are there already.
            try cluster.write("web1/own/systemd/own.service", unit)
            try cluster.write("web1/own/own.conf", "same\n")
            try cluster.write(
                "web1/own/manifest.json", #"{"systemd": {"units_enabled": ["own.service"]}, "symlinks": {"/etc/own.conf": "own.conf"}}"#)
            // A file of the app, but the unit is not listed.
            try cluster.write("web1/other/file", "")
            let output = try cluster.deploy().require(0)
            #expect(output.text.contains("start unit own.service (restart it if it runs with other files)\n"), "\(output)")
            #expect(try host.invocation(of: "own") == own)

            // It becomes listed, and that is all.
            try cluster.write("web1/other/manifest.json", #"{"systemd": {"units_enabled": ["other.service"]}}"#)
            #expect(try cluster.deploy().require(0).text.contains("start unit other.service\n"))
            #expect(try host.invocation(of: "other") == other)
            #expect(try host.invocation(of: "own") == own)

            // One becomes listed with a new file.
            try host.write("/etc/systemd/system/third.service", unit)
            try host.run("systemctl daemon-reload; systemctl start third")
            let third = try host.invocation(of: "third")
            try cluster.write("web1/third/third.conf", "new\n")
            try cluster.write("web1/third/manifest.json", #"{"systemd": {"units_enabled": ["third.service"]}}"#)
            try cluster.deploy().require(0)
            #expect(try host.state(of: "third") == "active")
            #expect(try host.invocation(of: "third") != third)
        }
    }
}
