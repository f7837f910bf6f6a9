import Deployment
import Display
import Model
import Platform

/// The status of the hosts: updated in place on a terminal, otherwise a host's lines whenever it reports.
final class LiveScreen: Sendable {
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
