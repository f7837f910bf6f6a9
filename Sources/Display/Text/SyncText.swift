import Deployment
import Model

/// Renders the results of a sync.
package struct SyncText {
    private let style: Style

    package init(style: Style) { self.style = style }

    package func line(_ host: Hostname, _ result: Result<SyncResult, HostError>) -> String {
        "  \(host.text): \(phrase(result))\n"
    }

    private func phrase(_ result: Result<SyncResult, HostError>) -> String {
        switch result {
        case .success(.unchanged(let commit?)): "runs \(commit.short), as known"
        case .success(.unchanged(nil)): "nothing is deployed, as known"
        case .success(.updated(let old?, nil)): "nothing is deployed any more, it was \(old.short)"
        case .success(.updated(nil, let new?)): "runs \(new.short), which the store had no record of"
        case .success(.updated(let old?, let new?)): "runs \(new.short), not \(old.short) as was known"
        case .success(.updated(nil, nil)): "nothing is deployed"
        case .failure(let error): error.phrase
        }
    }

    package func summary(_ results: [(host: Hostname, result: Result<SyncResult, HostError>)]) -> String {
        var text = "\n"
        var failed = 0
        for (host, result) in results {
            guard case .failure(let error) = result else { continue }
            failed += 1
            if let explanation = error.explanation(host) { text += style.heading(host.text) + ": " + explanation + "\n\n" }
        }
        let reached = results.count - failed
        return text + "The store is up to date for \(count(reached, "host"))"
            + (failed == 0 ? ".\n" : "; \(count(failed, "host")) could not be reached.\n")
    }
}
