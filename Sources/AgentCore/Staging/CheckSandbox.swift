import CSystem
import Model
import Wire

/// Runs the checks of the apps on the host as it will be: in a copy of it (csystem_future.h) that has the new files in
/// place. Neither the changes nor what a check does there reach the host.
final class CheckSandbox {
    let system: System
    let preparation: Preparation
    let old: StoredRecord?

    init(system: System, preparation: Preparation, old: StoredRecord?) {
        self.system = system
        self.preparation = preparation
        self.old = old
    }

    /// The index of the first step that is a check; nil if there is none.
    var firstCheck: Int? {
        preparation.steps.firstIndex { if case .validate = $0.action { true } else { false } }
    }

    /// Enters the copy, which a process cannot leave, and reports every check that fails. `.deployed` if none does.
    func run(_ supervisor: any Supervisor) -> Outcome {
        var failed: UnsafePointer<CChar>?
        let code = unsafe csys_future_enter(supervisor.descriptor, &failed)
        let found = FoundObstacles()
        if code < 0 {
            unsafe found.add(AgentError(.noFuture(operation: failed.map { unsafe String(cString: $0) } ?? "", code: Int(-code))))
        } else {
            // The descriptors of directories lead to the real host.
            let copy = System(root: system.root)
            do {
                try Transaction(
                    system: copy, systemd: nil, preparation: preparation, old: old, supervisor: supervisor, agent: ""
                ).rehearse()
                try check(copy, supervisor, found)
            } catch {
                switch error.problem {
                case .cancelled, .disconnected:
                    supervisor.report(.refused(error))
                    return .unchanged(error)
                // The host itself may have room.
                case .system(let operation, let path, code: Int(csys_enospc)):
                    found.add(AgentError(.noFuture(operation: operation + " " + path + " in the copy of the host", code: Int(csys_enospc))))
                default: found.add(error)
                }
            }
        }
        guard let first = found.failures.first else { return .deployed }
        supervisor.report(.obstructed(found.failures, more: found.more))
        return .unchanged(first)
    }

    private func check(_ copy: System, _ supervisor: any Supervisor, _ found: FoundObstacles) throws(AgentError) {
        for index in preparation.steps.indices {
            let step = preparation.steps[index]
            guard case .validate(let words, let limit) = step.action, let app = step.app else { continue }
            supervisor.report(.began(step: index))
            var arguments = words
            if begins(words[0], "./") {
                arguments[0] = app.current.text + "/" + text(words[0].bytes.dropFirst(2))
            }
            var problem: Problem?
            do {
                let result = try Command(system: copy, interruption: supervisor, confinement: app.current).run(arguments, limit: limit)
                if result.status != 0 { problem = .command(arguments: words, status: result.status, output: lastLines(result.text)) }
            } catch {
                switch error.problem {
                case .cancelled, .disconnected: throw error
                case .timeout(_, let seconds): problem = .timeout(arguments: words, seconds: seconds)
                default: problem = error.problem
                }
            }
            // A process that one check leaves running must be gone before the next.
            _ = csys_future_reap()
            if let problem { found.add(AgentError(step: index, .check(of: app, problem))) }
        }
    }
}

extension Transaction {
    /// Makes the changes to files, and lets systemd's programs make users and files of them.
    fileprivate func rehearse() throws(AgentError) {
        let noted = NotedPaths(try begin())
        try convert()
        let programs = Systemd(command: Command(system: system, interruption: supervisor), audience: nil)
        for step in preparation.steps {
            switch step.action {
            case .activate, .remove, .link, .unlink, .place, .unplace, .grant: try change(step, noted)
            case .sysusers: try programs.sysusers(placed(in: Layout.sysusers))
            case .tmpfiles:
                // In the copy, /sys and /proc/sys cannot be written, and devices cannot be made.
                do { try programs.tmpfiles(placed(in: Layout.tmpfiles)) } catch { if case .command = error.problem {} else { throw error } }
            default: break
            }
        }
        // The copy lacks the host's secrets in memory. Those of other apps need not open.
        _ = Secrets(system: system).settleAll()
    }
}

extension Command {
    /// Whether a program may ask the kernel to change the network: those that cannot check their rules without.
    static func keepsNetworkPrivilege(_ arguments: [String]) -> Bool {
        func has(_ option: String) -> Bool { Model.has(arguments, option) }
        for directory in ["/usr/sbin/", "/sbin/"] where begins(arguments[0], directory) {
            switch text(arguments[0].bytes.dropFirst(directory.utf8.count)) {
            case let name where isSameText(name, "nft"): return has("-c") || has("--check")
            case let name where ends(name, "tables-restore"): return has("-t") || has("--test")
            default: return false
            }
        }
        return false
    }
}
