import Git
import Model
import SSH
import Wire

/// A host's status, as it reports it. Unreported values are nil or empty.
package struct LiveStatus: Hashable, Sendable {
    /// Space on a file system or in memory, in bytes.
    package struct Space: Hashable, Sendable {
        package var total: UInt64
        package var available: UInt64

        package init(total: UInt64, available: UInt64) { (self.total, self.available) = (total, available) }
    }

    package struct Unit: Hashable, Sendable {
        package var app: AppName
        package var name: UnitName
        /// ActiveState and SubState of org.freedesktop.systemd1(5); nil where there is no systemd.
        package var state: String?
        package var substate: String?
        /// For how long, in seconds.
        package var age: Int64?

        package init(app: AppName, name: UnitName, state: String?, substate: String?, age: Int64?) {
            (self.app, self.name, self.state, self.substate, self.age) = (app, name, state, substate, age)
        }
    }

    /// Averages over 1, 5 and 15 minutes, in the kernel's format, such as `0.12`.
    package var load: [String]
    package var memory: Space?
    package var root: Space?
    package var `var`: Space?
    /// In seconds, by the kernel's count.
    package var uptime: Int64?
    package var needsReboot: Bool
    package var agent: String
    package var commit: ObjectID?
    package var units: [Unit]
    package var failed: [String]
    /// The answers to all probes; empty if the deployed tree is unknown.
    package var probes: [ProbeResult] = []
}

extension LiveStatus {
    /// Parses `Reply.report`, which is untrusted; nil if it does not have all its parts.
    init?(_ report: [UInt8], commit: ObjectID?) {
        let parts = report.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == ReportPart.allCases.count else { return nil }
        func text(_ part: ReportPart) -> String { parts[part.rawValue] }
        let load = text(.load).split(separator: " ").prefix(3).filter { $0.count <= 10 && $0.allSatisfy { "0123456789.".contains($0) } }
        self.load = load.count == 3 ? load.map { String($0) } : []
        memory = Self.memory(text(.memory))
        uptime = text(.uptime).split(separator: ".").first.flatMap { Int64($0) }
        root = Self.space(text(.root))
        `var` = Self.space(text(.var))
        needsReboot = text(.needsReboot) == "yes"
        agent = String(text(.agent).prefix(100))
        self.commit = commit
        units = Self.units(text(.units), shown: text(.states), uptime: uptime)
        failed = text(.failed).split(separator: "\n").prefix(1000).compactMap {
            $0.split(separator: " ").first.map { String($0.prefix(256)) }
        }
    }

    private static func memory(_ text: String) -> Space? {
        var values: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[2] == "kB", let value = UInt64(words[1]), value < 1 << 50 else { continue }
            values[words[0]] = value << 10
        }
        guard let total = values["MemTotal:"], let available = values["MemAvailable:"], available <= total else { return nil }
        return Space(total: total, available: available)
    }

    private static func space(_ text: String) -> Space? {
        let numbers = text.split(separator: " ").compactMap { UInt64($0) }
        guard numbers.count == 2, numbers[1] <= numbers[0], numbers[0] <= UInt64(Int64.max) else { return nil }
        return Space(total: numbers[0], available: numbers[1])
    }

    private static func units(_ names: String, shown: String, uptime: Int64?) -> [Unit] {
        // systemctl prints one paragraph per unit.
        var paragraphs: [[Substring: Substring]] = [[:]]
        for line in shown.split(separator: "\n", omittingEmptySubsequences: false) {
            if let equals = line.firstIndex(of: "=") {
                paragraphs[paragraphs.count - 1][line[..<equals]] = line[line.index(after: equals)...]
            } else if paragraphs.last?.isEmpty == false {
                paragraphs.append([:])
            }
        }
        return names.split(separator: "\n").enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard words.count == 2, let app = AppName(String(words[0])), let name = UnitName(String(words[1])) else { return nil }
            let properties = paragraphs.indices.contains(index) ? paragraphs[index] : [:]
            func text(_ property: Substring) -> String? {
                properties[property].flatMap { $0.isEmpty ? nil : String($0.prefix(40)) }
            }
            let since = text("StateChangeTimestampMonotonic").flatMap { Int64($0) }.map { $0 / 1_000_000 }
            // Zero: the state never changed.
            let age = since.flatMap { since in uptime.flatMap { since > 0 && since <= $0 ? $0 - since : nil } }
            return Unit(app: app, name: name, state: text("ActiveState"), substate: text("SubState"), age: age)
        }
    }
}

extension HostSession {
    /// The host's status.
    mutating func report() throws(HostError) -> LiveStatus {
        switch try ask(.report) {
        case .report(let bytes):
            guard let status = LiveStatus(bytes, commit: hello.commit) else { throw .unexpected }
            return status
        case .refused(let failure): throw .refused(failure)
        default: throw .unexpected
        }
    }
}

extension HostTask {
    /// Queries every host once. `report` is called from the threads of the hosts.
    package func live(
        storePath: String, _ report: @escaping @Sendable (Hostname, Result<LiveStatus, HostError>) -> Void
    ) async -> [(host: Hostname, result: Result<LiveStatus, HostError>)] {
        await run(report) { (host, session) throws(HostError) in try Self.live(host, &session, storePath) }
    }

    private static func live(_ host: Hostname, _ session: inout HostSession, _ storePath: String) throws(HostError) -> LiveStatus {
        var status = try session.report()
        let (store, known) = try whatIsKnown(of: host, storePath)
        // The probes are known only if the store has the deployed tree.
        guard let known, known == session.hello.commit, let tree = try? tree(of: host, in: known, store) else { return status }
        status.probes = try session.probe(tree.apps.probes)
        return status
    }

    /// Queries every host repeatedly, with a pause in between, until cancelled. Retries hosts that cannot be reached.
    package func watch(
        every pause: Duration, storePath: String, _ report: @escaping @Sendable (Hostname, Result<LiveStatus, HostError>) -> Void
    ) async {
        await repeatedly(pause) { (host, session, wait) throws(HostError) in
            while true {
                report(host, .success(try Self.live(host, &session, storePath)))
                try wait()
            }
        } failed: { host, error in
            report(host, .failure(error))
        }
    }
}
