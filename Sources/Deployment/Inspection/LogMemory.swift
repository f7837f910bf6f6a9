/// The last lines of a journal that were shown. After a loss, the journal is read again from shortly before the last of them:
/// journald gets a line later than the line's own time, by an unknown delay.
struct LogMemory {
    /// In microseconds.
    private static let overlap: Int64 = 5_000_000
    private static let maximumLines = 20_000

    private var lines: [(time: Int64, hash: Int)] = []
    /// When the journal was read first.
    private var begin: Int64?
    /// The times of the last line, and of the first one or the last forgotten one; nil if nothing was shown.
    private var span: (earliest: Int64, latest: Int64)?
    /// Lines that come once more: how often.
    private var again: [Int: Int] = [:]

    /// From when on to read again, in microseconds since the epoch; nil if nothing was read.
    var start: Int64? { span.map { max($0.earliest, $0.latest - Self.overlap) } ?? begin }

    mutating func noteBegin(_ time: Int64) { begin = begin ?? time }

    /// Expects the lines shown since ``start``.
    mutating func expectAgain() {
        again = [:]
        for line in lines { again[line.hash, default: 0] += 1 }
    }

    /// False if the line was shown before. `now` limits what a host's clock can claim.
    mutating func add(_ line: LogLine, now: Int64) -> Bool {
        let hash = line.hashValue
        if let count = again[hash] {
            again[hash] = count > 1 ? count - 1 : nil
            return false
        }
        lines.append((line.time, hash))
        // A service may have made up the time.
        if line.time < now + 3_600_000_000 { span = (span?.earliest ?? line.time, max(span?.latest ?? 0, line.time)) }
        if lines.count > Self.maximumLines {
            lines.removeFirst(Self.maximumLines / 2)
            if let (earliest, latest) = span { span = (max(earliest, min(lines[0].time, latest)), latest) }
        }
        return true
    }
}
