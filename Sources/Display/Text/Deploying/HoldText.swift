import Model
import Planning

/// Renders which hosts are held.
package struct HoldText {
    /// Formats seconds since the epoch as local time.
    private let time: (Int64) -> String

    package init(time: @escaping (Int64) -> String) { self.time = time }

    /// As in `held until 2026-11-21 07:47 by Ada: new disk`.
    package func phrase(_ hold: Hold) -> String {
        "held until \(time(hold.until)) by \(visible(hold.author)): \(visible(hold.reason))"
    }

    /// The hosts that a plan leaves out; empty if there are none.
    package func leftOut(_ holds: [Hold]) -> String {
        guard !holds.isEmpty else { return "" }
        return "\nLeft out (`--held` includes them):\n" + holds.map { "    \($0.host.text), \(phrase($0))\n" }.joined()
    }

    /// A line for each host.
    package func list(_ holds: [Hold]) -> String {
        let width = holds.map(\.host.text.count).max() ?? 0
        return holds.map { hold in
            hold.host.text + String(repeating: " ", count: width - hold.host.text.count) + "  \(phrase(hold))\n"
        }.joined()
    }
}
