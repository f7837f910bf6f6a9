import CSystem
import Model
import Wire

/// Waits until a descriptor can be read from or, if wanted, written to; false after the deadline, in the time of
/// `csys_monotonic_ns`. A negative descriptor only passes the time. Throws the reason of an interruption.
@inline(never) func awaitSocket(
    _ descriptor: Int32, writing: Bool = false, until deadline: Int64, heeding interruption: any Interruption
) throws(AgentError) -> Bool {
    while true {
        if let reason = interruption.reason { throw AgentError(reason) }
        let remaining = (deadline - csys_monotonic_ns() + 999_999) / 1_000_000
        guard remaining > 0 else { return false }
        var items = [
            csys_poll_item(fd: descriptor, readable: true, writable: writing),
            csys_poll_item(fd: interruption.descriptor, readable: true, writable: false),
        ]
        _ = unsafe csys_poll(&items, items.count, remaining)
        if items[0].readable || items[0].writable { return true }
    }
}
