import Platform

/// The events to wait for on a descriptor.
struct PollEvents: OptionSet {
    let rawValue: UInt8

    static let readable = Self(rawValue: 1)
    static let writable = Self(rawValue: 2)
}

extension Interrupt {
    /// Waits until `descriptor` is ready for one of `wanted`, and returns which (poll(2)).
    ///
    /// `asides` are descriptors whose readability also ends the wait, with an empty result; negative ones are
    /// ignored. Throws ``SSHError/interrupted`` if fired, or ``SSHError/timedOut(_:)`` when the deadline passes.
    func wait(
        for wanted: PollEvents, on descriptor: Int32, asides: [Int32] = [], until deadline: Deadline, in phase: Phase
    ) throws(SSHError) -> PollEvents {
        while true {
            var items =
                [
                    PollItem(fd: self.descriptor, readable: true, writable: false),
                    PollItem(
                        fd: descriptor, readable: wanted.contains(.readable), writable: wanted.contains(.writable)),
                ] + asides.map { PollItem(fd: $0, readable: $0 >= 0, writable: false) }
            let timeout = deadline.pollTimeout
            do throws(Errno) { _ = try poll(&items, milliseconds: timeout) } catch {
                if error == .interrupted { continue }
                throw .system(operation: "poll", error)
            }
            if items[0].readable { throw .interrupted }
            var answer: PollEvents = []
            if items[1].readable { answer.insert(.readable) }
            if items[1].writable { answer.insert(.writable) }
            if !answer.isEmpty || items[2...].contains(where: \.readable) { return answer }
            if deadline.hasPassed { throw .timedOut(phase) }
        }
    }
}
