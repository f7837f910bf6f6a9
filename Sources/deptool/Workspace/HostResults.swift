import ArgumentParser
import Deployment
import Model

/// Shared by commands that query each host.
enum HostResults {
    /// Ends the command with status 1 if any host failed.
    static func require<Value>(_ results: [(host: Hostname, result: Result<Value, HostError>)]) throws {
        if results.contains(where: { (try? $0.result.get()) == nil }) { throw ExitCode(1) }
    }
}
