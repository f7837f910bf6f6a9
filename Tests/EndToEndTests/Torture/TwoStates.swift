import Foundation
import TestSupport
import Testing

/// How much is tried: a share in `make test`, all of it in `make torture`.
enum Torture {
    static let isWhole = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] != nil
}

/// A host with deploys between two states, and its appearance in each of them without failures.
final class TwoStates {
    enum Side: String {
        case one, other

        var opposite: Side { self == .one ? .other : .one }
        /// Of the services of either state, those that this one has.
        var services: [String] { self == .one ? ["gone", "same", "web"] : ["come", "same", "web"] }
    }

    let site: Site
    let cluster: Cluster
    let host: Host
    /// The state that the host runs.
    private(set) var side = Side.other
    /// How long a deploy takes that nothing disturbs.
    private(set) var duration = Duration.zero
    private var whole: [Side: String] = [:]
    private var wholeUnits: [Side: String] = [:]
    /// Before the last deploy began.
    private var before = ""
    private var unitsBefore = ""
    private let hasChecks: Bool

    /// A stand-in for Podman's generator; the host has no Podman.
    private static let generator = #"""
        #!/bin/sh
        for file in /etc/containers/systemd/*.network; do
            [ -e "$file" ] || continue
            printf "[Unit]\nSourcePath=%s\n[Service]\nType=oneshot\nExecStart=/bin/true\n" "$file" >"$1/$(basename "$file" .network)-network.service"
        done

        """#

    /// `prepare` may change the host before the first deploy.
    /// With `checks`, an app has one, which only an agent that forks can run.
    init(_ flavour: Site.Flavour = .debian12, checks: Bool = false, prepare: (Host) throws -> Void = { _ in }) throws {
        hasChecks = checks
        site = try Site()
        cluster = try Cluster(site)
        host = try site.boot("web1", flavour)
        try prepare(host)
        try host.write("/etc/systemd/system-generators/podman-system-generator", Self.generator)
        // The host's own units that depend on deployed ones.
        for (name, relation) in [
            ("needs", "Requires=web.service\nAfter=web.service"), ("part", "PartOf=web.service"),
            ("bound", "BindsTo=needs.service\nAfter=needs.service"),
        ] {
            try host.write(
                "/etc/systemd/system/\(name).service",
                "[Unit]\n\(relation)\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
        }
        try host.run(
            "chmod 755 /etc/systemd/system-generators/podman-system-generator; systemctl daemon-reload; systemctl enable needs part bound")
        let key = try host.run("cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub").trimmingCharacters(in: .newlines)
        for name in ["one", "other", "same"] {
            try cluster.run("printf 'secret of \(name)' | age -r '\(key)' -o \(name).age")
        }
        // In either state, each app has the version that it had in the state before.
        for side in [Side.one, .other, .one, .other] {
            try write(side)
            let begun = ContinuousClock.now
            try cluster.deploy().require(0)
            duration = .now - begun
            // They could not start before there was something to depend on.
            if whole.isEmpty { try host.run("systemctl start needs part bound") }
            try host.run("systemctl start echo.service")
            whole[side] = try listing()
            wholeUnits[side] = try host.units()
        }
    }

    /// Makes the config tree what the host shall run in a state: apps that are added, updated and removed, with links of
    /// which one takes a file's place, services, users, directories, a quadlet, and an app that becomes private or public.
    private func write(_ side: Side) throws {
        for app in ["web", "gone", "come", "same"] where FileManager.default.fileExists(atPath: cluster.directory + "/prod/web1/" + app) {
            try cluster.remove("web1/" + app)
        }
        for service in side.services { try cluster.addService(service, on: "web1", before: service == "same" ? nil : "/bin/sleep 0.1") }
        // A socket whose service runs, and which changes in either direction.
        try cluster.write("web1/echo/manifest.json", #"{"systemd": {"units_enabled": ["echo.socket"]}}"#)
        try cluster.write("web1/echo/echo.conf", side.rawValue)
        try cluster.write("web1/echo/systemd/echo.socket", "[Socket]\nListenStream=/run/echo.sock\n[Install]\nWantedBy=sockets.target\n")
        try cluster.write("web1/echo/systemd/echo.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        // A service that keeps the content read at its start or reload.
        let file = "/var/lib/deptool/apps/reread/current/conf"
        try cluster.write("web1/reread/conf", "\(side.rawValue)\n")
        try cluster.write(
            "web1/reread/manifest.json",
            #"{"systemd": {"units_enabled": ["reread.service"], "on_change": {"reread.service": {"reload": ["conf"]}}}, "#
                + (hasChecks ? #""checks": [["/bin/grep", "-q", "\#(side.rawValue)", "\#(file)"]], "# : "")
                + #""health": [{"unix": "/run/echo.sock"}]}"#)
        try cluster.write(
            "web1/reread/systemd/reread.service",
            "[Service]\nExecStartPre=/bin/cp \(file) /run/reread\nExecStart=/bin/sleep infinity\nExecReload=/bin/cp \(file) /run/reread\n"
                + "[Install]\nWantedBy=multi-user.target\n")
        try cluster.write("web1/web/web.conf", side.rawValue)
        // A service that keeps a secret, and one that comes and goes.
        let unit = "[Service]\nLoadCredential=turns:/run/deptool/secrets/vault/turns\nExecStart=/bin/sleep infinity\n"
        try cluster.write("web1/vault/manifest.json", #"{"systemd": {"units_enabled": ["vault.service"]}}"#)
        try cluster.write("web1/vault/systemd/vault.service", unit + "[Install]\nWantedBy=multi-user.target\n")
        try cluster.run(
            """
            mkdir -p prod/web1/vault/secrets; cp \(side).age prod/web1/vault/secrets/turns.age
            cp same.age prod/web1/vault/secrets/stays.age
            if [ \(side) = one ]; then cp same.age prod/web1/vault/secrets/goes.age; else rm -f prod/web1/vault/secrets/goes.age; fi
            """)
        // In one of the states only a group may read it, which comes with the deploy.
        let readers = side == .one ? "" : #", "private": true, "group": "come""#
        try cluster.write("web1/web/manifest.json", #"{"systemd": {"units_enabled": ["web.service"]}\#(readers)}"#)
        if side == .one {
            try links("gone", ["/etc/gone.conf": "file", "/etc/links/turns": "file"])
        } else {
            // A file displaced by a link is not kept after the commit.
            try host.write("/etc/adopted", "come")
            try links("come", ["/etc/links/deep/new.conf": "file", "/etc/links/turns": "file", "/etc/adopted": "file"])
            try cluster.write("web1/come/sysusers/come.conf", "u come - \"Comes and stays\"\n")
            try cluster.write("web1/come/quadlets/come.network", "[Network]\n")
            // Only one of the two can run.
            try cluster.edit("web1/come/systemd/come.service", replacing: "[Service]", with: "[Unit]\nConflicts=gone.service\n[Service]")
            try cluster.write("web1/come/tmpfiles/come.conf", "d /run/come 0750 come come\n")
        }
    }

    private func links(_ app: String, _ links: [String: String]) throws {
        try cluster.write("web1/\(app)/file", app)
        let list = links.sorted { $0.key < $1.key }.map { #""\#($0.key)": "\#($0.value)""# }.joined(separator: ", ")
        try cluster.write(
            "web1/\(app)/manifest.json", #"{"systemd": {"units_enabled": ["\#(app).service"]}, "symlinks": {\#(list)}}"#)
    }

    // MARK: Deploying

    /// Starts the deploy to the opposite state.
    func start() throws -> Program {
        try write(side.opposite)
        before = try listing()
        // A boot has ended the recovery that a connection would have started.
        try host.run("systemctl start echo.service")
        unitsBefore = try host.units()
        return try cluster.startDeploy()
    }

    /// Determines the host's state after a disturbed deploy to the opposite state, and completes it. `code` is how the
    /// tool ended. Returns the state that the disturbed deploy ended in.
    ///
    /// Nothing may have to be done for that but the next contact.
    @discardableResult
    func settle(after code: Int32, _ what: String, isBooted: Bool = false) throws -> Side {
        try host.wait(for: "flock --nonblock /var/lib/deptool/store/lock true", within: .seconds(100))
        func match(_ filter: (String) -> String) throws -> Side? {
            let now = filter(try listing())
            if now == filter(before) { return side }
            if now == whole[side.opposite].map(filter) { return side.opposite }
            expect(now, is: filter(before))
            return nil
        }
        // A boot has recovered; what nothing refers to may be there still.
        if isBooted { _ = try #require(try match(inUse), "after the boot neither old nor new: \(what)") }
        try cluster.deptool("sync", "--ssh-config", "\(site.lab)/ssh_config").require(0)
        let ended = try #require(try match { $0 }, "neither old nor new: \(what)")
        switch code {
        case 0: #expect(ended == side.opposite, "deployed, it said: \(what)")
        case 1, 3: #expect(ended == side, "unchanged or rolled back, it said: \(what)")
        case 5, 137: break
        default: Issue.record("exit code \(code): \(what)")
        }
        let expected = try #require(ended == side ? unitsBefore : wholeUnits[ended])
        try expectUnits(expected, isBooted)
        try expectServices(ended, what)
        let store = try host.run("cd /var/lib/deptool/store && find . -mindepth 1 -printf '%P\\n' | sort | xargs; stat -c %s lock")
        #expect(store == "lock log record\n0\n", "\(what)")
        let plan = try cluster.deptool("plan", "--ssh-config", "\(site.lab)/ssh_config").require(0)
        #expect((plan.text == nothingToDo) == (ended == side.opposite), "\(what)\n\(plan)")
        if ended == side { try cluster.deploy().require(0) }
        side = side.opposite
        expect(try listing(), is: whole[side] ?? "")
        try expectUnits(wholeUnits[side] ?? "", isBooted)
        try expectServices(side, what)
        return ended
    }

    /// All units of the host. A boot ends the service that only its socket starts, and the socket listens again.
    private func expectUnits(_ expected: String, _ isBooted: Bool) throws {
        func filter(_ units: String) -> String {
            // It has run since the last boot, or not.
            let units = units.split(separator: "\n").filter { !$0.hasPrefix("unit deptool-secrets.service ") }.joined(separator: "\n")
            guard isBooted else { return units }
            return units.split(separator: "\n").filter { !$0.hasPrefix("unit echo.service ") }.joined(separator: "\n")
                .replacing("unit echo.socket active running", with: "unit echo.socket active listening")
        }
        expect(filter(try host.units()), is: filter(expected))
    }

    private func expectServices(_ side: Side, _ what: String) throws {
        for service in ["web", "gone", "come", "same"] {
            let isThere = side.services.contains(service)
            #expect(try host.state(of: service) == (isThere ? "active" : "inactive"), "\(service), \(what)")
            #expect(try host.enablement(of: service) == "enabled" || !isThere, "\(service), \(what)")
        }
        // The open secrets match the sealed ones, also in the service, and are on no disk.
        let open = try host.run("cd /run/deptool/secrets/vault && stat -c '%n %a' * && cat * && cat /run/credentials/vault.service/turns")
        let secret = "secret of \(side)", same = "secret of same"
        let expected = side == .one ? "goes 400\nstays 400\nturns 400\n\(same)\(same)" : "stays 400\nturns 400\n\(same)"
        #expect(open == expected + secret + secret, "\(what)")
        #expect(try host.run("grep -rl 'secret of' /etc /var /srv /opt || true") == "", "\(what)")
        // A reload that was due is never lost.
        #expect(try host.read("/run/reread") == "\(side.rawValue)\n", "\(what)")
        #expect(try host.run("systemctl is-system-running || true") == "running\n", "\(what)")
    }

    // MARK: Looking

    /// Every path where deploys leave traces, with type, mode, owner, target and content. The versions of apps are called
    /// by what refers to them. The file system mounted as `/var` may be `/srv/var`.
    private func listing() throws -> String {
        let text = try host.run(
            """
            for place in /etc /opt /srv /usr/local /var/lib/deptool/apps; do
                find $place -path /srv/var -prune -o '(' -printf '%p %y %m %U:%G %l\\n' , -type f -exec sha256sum {} + ')'
            done | sed -E 's/^([0-9a-f]{64})  (.*)/\\2 \\1/'
            """)
        var lines = text.split(separator: "\n").map(String.init)
        for name in ["current", "previous"] {
            for line in lines {
                guard let match = line.firstMatch(of: /^(\/var\/lib\/deptool\/apps\/[^\/]+)\/([a-z]+) l .* ([0-9a-f]{10})$/),
                    match.2 == name
                else { continue }
                let app = match.1 + "/"
                lines = lines.map { $0.hasPrefix(app) ? $0.replacing(match.3, with: name.uppercased()) : $0 }
            }
        }
        return lines.sorted().joined(separator: "\n")
    }

    /// Without the versions that no `current` leads to.
    private func inUse(_ listing: String) -> String {
        listing.split(separator: "\n").filter {
            !$0.hasPrefix("/var/lib/deptool/apps/") || $0.contains("/CURRENT") || $0.contains("/current ")
        }.joined(separator: "\n")
    }
}
