import Foundation
import TestSupport
import Testing

/// How much is tried: a share in `make test`, all of it in `make torture`.
enum Torture {
    static let isWhole = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] != nil
}

/// A host that is deployed to and fro between two states, and what it looks like in each of them when nothing fails.
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
    /// What the host runs.
    private(set) var side = Side.other
    /// How long a deploy takes that nothing disturbs.
    private(set) var duration = Duration.zero
    private var whole: [Side: String] = [:]
    /// Before the last deploy began.
    private var before = ""

    /// `prepare` may change the host before the first deploy.
    init(prepare: (Host) throws -> Void = { _ in }) throws {
        site = try Site()
        cluster = try Cluster(site)
        host = try site.boot()
        try prepare(host)
        // In either state, each app has the version that it had in the state before.
        for side in [Side.one, .other, .one, .other] {
            try write(side)
            let begun = ContinuousClock.now
            try cluster.deploy().require(0)
            duration = .now - begun
            whole[side] = try listing()
        }
    }

    /// Makes the config tree what the host shall run in a state: apps that are added, updated and removed, with links of
    /// which one takes a file's place, services, users, directories, a quadlet, and an app that becomes private or public.
    private func write(_ side: Side) throws {
        for app in ["web", "gone", "come", "same"] where FileManager.default.fileExists(atPath: cluster.directory + "/prod/web1/" + app) {
            try cluster.remove("web1/" + app)
        }
        for service in side.services { try cluster.addService(service, on: "web1", before: service == "same" ? nil : "/bin/sleep 0.1") }
        try cluster.write("web1/web/web.conf", side.rawValue)
        // In one of the states only a group may read it, which comes with the deploy.
        let readers = side == .one ? "" : #", "private": true, "group": "come""#
        try cluster.write("web1/web/manifest.json", #"{"systemd": {"units_enabled": ["web.service"]}\#(readers)}"#)
        if side == .one {
            try links("gone", ["/etc/gone.conf": "file", "/etc/links/turns": "file"])
        } else {
            // What a link displaces is not kept after the commit.
            try host.write("/etc/adopted", "come")
            try links("come", ["/etc/links/deep/new.conf": "file", "/etc/links/turns": "file", "/etc/adopted": "file"])
            try cluster.write("web1/come/sysusers/come.conf", "u come - \"Comes and stays\"\n")
            try cluster.write("web1/come/quadlets/come.network", "[Network]\n")
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
        return try cluster.startDeploy()
    }

    /// Finds out what the host runs after a deploy to the opposite state was disturbed, and completes it. `code` is how
    /// the tool ended. Returns the state that the disturbed deploy ended in.
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
        try expectServices(ended, what)
        let store = try host.run("cd /var/lib/deptool/store && find . -mindepth 1 -printf '%P\\n' | sort | xargs; stat -c %s lock")
        #expect(store == "lock log record\n0\n", "\(what)")
        let plan = try cluster.deptool("plan").require(0)
        #expect((plan.text == nothingToDo) == (ended == side.opposite), "\(what)\n\(plan)")
        if ended == side { try cluster.deploy().require(0) }
        side = side.opposite
        expect(try listing(), is: whole[side] ?? "")
        try expectServices(side, what)
        return ended
    }

    private func expectServices(_ side: Side, _ what: String) throws {
        for service in ["web", "gone", "come", "same"] {
            let isThere = side.services.contains(service)
            #expect(try host.state(of: service) == (isThere ? "active" : "inactive"), "\(service), \(what)")
            #expect(try host.enablement(of: service) == "enabled" || !isThere, "\(service), \(what)")
        }
        #expect(try host.run("systemctl is-system-running || true") == "running\n", "\(what)")
    }

    // MARK: Looking

    /// Every path where deploys leave traces, with type, mode, owner, target and content. The versions of apps are called
    /// by what refers to them.
    private func listing() throws -> String {
        let text = try host.run(
            """
            for place in /etc /opt /srv /usr/local /var/lib/deptool/apps; do
                find $place -printf '%p %y %m %U:%G %l\\n' , -type f -exec sha256sum {} +
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
