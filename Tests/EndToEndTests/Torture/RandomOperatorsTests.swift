import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// Two operators run random commands, and the hosts match a simple model.
    @Suite final class RandomOperatorsTests {
        /// An app in the model: a service with a file.
        private struct App: Equatable {
            var content: Int
            var fails = false
        }

        private typealias Tree = [String: App]

        /// The state of a host as an operator assumes it.
        private struct Deployed: Equatable {
            /// Counts deploys; nil for none.
            var commit: Int?
            var tree: Tree = [:]
        }

        private struct Operator {
            var cluster: Cluster
            var trees: [String: Tree]
            var known: [String: Deployed] = [:]
        }

        private let site: Site
        private let hosts: [Host]
        private var operators: [Operator] = []
        private var running: [String: Deployed] = [:]
        private var commits = 0
        private var history: [String] = []

        init() throws {
            site = try Site()
            let (one, other) = try site.boot("web1", "web2")
            hosts = [one, other]
            for name in ["Ann", "Bob"] {
                operators.append(Operator(cluster: try Cluster(site, of: name), trees: [:]))
                for host in hosts { try set("base", App(content: 0), on: host.name, by: operators.count - 1) }
            }
        }

        // MARK: Commands of operators

        private func set(_ name: String, _ app: App?, on host: String, by index: Int) throws {
            operators[index].trees[host, default: [:]][name] = app
            let cluster = operators[index].cluster
            guard let app else { return try cluster.remove("\(host)/\(name)") }
            try cluster.addService(name, on: host, run: app.fails ? "/bin/false" : "/bin/true")
            try cluster.write("\(host)/\(name)/content", "\(app.content)")
        }

        private func edit(_ random: inout Seeded) throws {
            let (index, host) = (Int.random(in: 0...1, using: &random), hosts.randomElement(using: &random)!.name)
            // There is always an app, or the host would not be in the tree.
            let name = ["base", "web", "dns"].randomElement(using: &random)!
            let isThere = operators[index].trees[host]?[name] != nil
            if name != "base", isThere, Int.random(in: 0..<3, using: &random) == 0 {
                try set(name, nil, on: host, by: index)
                history.append("\(index): remove \(host)/\(name)")
            } else {
                let app = App(content: Int.random(in: 0...3, using: &random), fails: Int.random(in: 0..<6, using: &random) == 0)
                try set(name, app, on: host, by: index)
                history.append("\(index): \(host)/\(name) = \(app)")
            }
        }

        private func deploy(_ random: inout Seeded) throws {
            let index = Int.random(in: 0...1, using: &random)
            let limit = Bool.random(using: &random) ? hosts.randomElement(using: &random)!.name : nil
            let isAtomic = Int.random(in: 0..<4, using: &random) == 0
            history.append("\(index): deploy \(limit ?? "all")\(isAtomic ? " --atomic" : "")")

            let person = operators[index]
            let affected = hosts.map(\.name).filter {
                (limit == nil || limit == $0) && person.trees[$0] != person.known[$0, default: Deployed()].tree
            }
            let stale = affected.filter { person.known[$0]?.commit != running[$0]?.commit }
            let failing = affected.filter { person.trees[$0, default: [:]].values.contains { $0.fails } }
            var code: Int32 = 0
            if !stale.isEmpty {
                code = 1
                for host in stale { operators[index].known[host] = running[host] }
            } else if !affected.isEmpty {
                commits += 1
                code = failing.isEmpty ? 0 : 3
                for host in affected where !(failing.contains(host) || isAtomic && !failing.isEmpty) {
                    running[host] = Deployed(commit: commits, tree: person.trees[host, default: [:]])
                    operators[index].known[host] = running[host]
                }
            }

            let arguments = (limit.map { ["--limit", $0] } ?? []) + (isAtomic ? ["--atomic"] : [])
            let output = try person.cluster.deploy(arguments)
            try check(output.code == code, "exit \(output.code) instead of \(code)\n\(output)")
        }

        private func sync(_ random: inout Seeded) throws {
            let index = Int.random(in: 0...1, using: &random)
            history.append("\(index): sync")
            operators[index].known = running
            try operators[index].cluster.deptool("sync", "--ssh-config", "\(site.lab)/ssh_config").require(0)
        }

        private func loseStore(_ random: inout Seeded) throws {
            let index = Int.random(in: 0...1, using: &random)
            history.append("\(index): lose the store")
            operators[index].known = [:]
            let cluster = operators[index].cluster
            try FileManager.default.removeItem(atPath: cluster.directory + "/.deptool")
            try cluster.deptool("init", "prod").require(0)
        }

        // MARK: Results

        private struct Wrong: Error, CustomStringConvertible { var description: String }

        private func check(_ condition: Bool, _ what: @autoclosure () -> String) throws {
            if !condition { throw Wrong(description: what()) }
        }

        private func checkHosts() throws {
            for host in hosts {
                let found = try host.run(
                    """
                    cd /var/lib/deptool/apps 2>&- || exit 0
                    for app in *; do
                        [ -e $app ] || continue
                        echo $app $(cat $app/current/content) $(systemctl is-active $app) $(systemctl is-enabled $app)
                    done
                    systemctl list-units --plain --no-legend --state=active base.service web.service dns.service | wc -l
                    systemctl is-system-running
                    """)
                let tree = running[host.name, default: Deployed()].tree
                let apps = tree.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.content) active enabled\n" }.joined()
                if running[host.name] == nil {
                    try check(found == "" || found == "0\nrunning\n", "\(host.name) should run nothing:\n\(found)")
                } else {
                    try check(found == apps + "\(tree.count)\nrunning\n", "\(host.name) should run\n\(apps)but runs\n\(found)")
                }
                try check(try running[host.name] == nil || !host.isLocked, "\(host.name) is locked")
            }
        }

        @Test func `hosts run the last deploy to them, regardless of what two operators do`() throws {
            var random = Seeded()
            let count = Torture.isWhole ? 300 : 16
            do {
                for _ in 0..<count {
                    switch Int.random(in: 0..<20, using: &random) {
                    case 0: try loseStore(&random)
                    case 1...2: try sync(&random)
                    case 3...10: try edit(&random)
                    default:
                        try deploy(&random)
                        try checkHosts()
                    }
                }
            } catch {
                Issue.record("seed \(random.seed): \(error)\n\(history.joined(separator: "\n"))")
            }
            print("random operators, seed \(random.seed): \(count) actions, \(commits) deploys")
        }
    }
}
