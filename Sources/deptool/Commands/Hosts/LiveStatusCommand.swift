import ArgumentParser
import Deployment
import Display
import Model
import Platform
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
            InterruptSignals.handle { _ in task.cancel() }
            await task.watch(every: .seconds(watch), storePath: storePath) { host, result in
                guard Terminal.isTaken else { return task.cancel() }
                if isJSON { JSONOutput.write(liveStatusJSON([(host, result)], now: now)) } else { live.show(host, result) }
            }
        } catch let error as SSHError {
            throw CommandError(error.phrase)
        }
    }
}

private var now: Int64 { WallClock.seconds }
