import ArgumentParser
import CSystem
import Deployment
import Display
import Model
import SSH

extension StatusCommand {
    /// Implements `--live`.
    func ask(_ hosts: [Hostname], storePath: String) async throws {
        let isJSON = output.json
        let screen = ProgressScreen(hosts)
        do {
            let task = try HostTask(hosts, access: ssh.access(screen, asks: !isJSON))
            guard let watch else {
                let results = await task.live(storePath: storePath) { _, _ in }
                output.write(
                    liveStatusJSON(results, now: now),
                    or: LiveStatusText(style: Terminal.style).lines(results.map { ($0.host, $0.result) }).map { $0 + "\n" }.joined())
                try HostResults.require(results)
                return
            }
            let live = LiveScreen(hosts)
            Interruption.handle { _ in task.cancel() }
            await task.watch(every: .seconds(watch), storePath: storePath) { host, result in
                guard Terminal.isTaken else { return task.cancel() }
                if isJSON { JSONOutput.write(liveStatusJSON([(host, result)], now: now)) } else { live.show(host, result) }
            }
        } catch let error as SSHError {
            throw CommandError(error.phrase)
        }
    }
}

private var now: Int64 { csys_realtime_ns() / 1_000_000_000 }

/// The status of the hosts: updated in place on a terminal, otherwise a host's lines whenever it reports.
private final class LiveScreen: Sendable {
    private struct State {
        var results: [(host: Hostname, result: Result<LiveStatus, HostError>?)]
        var canvas = Canvas()
    }

    private let state: Monitor<State>

    init(_ hosts: [Hostname]) { state = Monitor(State(results: hosts.map { ($0, nil) })) }

    func show(_ host: Hostname, _ result: Result<LiveStatus, HostError>) {
        state.update { state in
            guard let index = state.results.firstIndex(where: { $0.host == host }) else { return }
            state.results[index].result = result
            let text = LiveStatusText(style: Terminal.style)
            guard Terminal.canRedraw else { return Terminal.write(text.lines([(host, result)]).map { $0 + "\n" }.joined()) }
            let (columns, rows) = Terminal.size
            let lines = LiveStatusText.cut(text.lines(state.results), columns: columns, rows: rows)
            Terminal.write(state.canvas.draw(lines, columns: columns, rows: rows))
        }
    }
}
