import CSystem
import Model

extension Store {
    private var historyPath: String { path + "/history" }

    /// Appends to the history. The events are in the file on return, and on disk after `synchronize`.
    package func note(_ events: [HistoryEvent]) throws(StoreError) {
        try exclusively { () throws(StoreError) in try append(events) }
    }

    private func append(_ events: [HistoryEvent]) throws(StoreError) {
        let descriptor = unsafe csys_open_append(historyPath, 0o600)
        guard descriptor >= 0 else { throw .file("open", path: historyPath, errno: -descriptor) }
        defer { csys_close(descriptor) }
        var text = events.map(\.line).joined()
        // Keep the new events off a line that a power cut left incomplete.
        if try !endsWithLine(descriptor) { text = "\n" + text }
        // A single call, so that readers see whole lines.
        let written = text.withUTF8 { unsafe csys_write(descriptor, $0.baseAddress, $0.count) }
        guard written == text.utf8.count else {
            throw .file("write", path: historyPath, errno: written < 0 ? Int32(-written) : Int32(csys_enospc))
        }
    }

    private func endsWithLine(_ descriptor: Int32) throws(StoreError) -> Bool {
        var status = csys_stat()
        let result = unsafe csys_fstat(descriptor, &status)
        guard result == 0 else { throw .file("look at", path: historyPath, errno: -result) }
        if status.size == 0 { return true }
        var last: UInt8 = 0
        guard csys_seek(descriptor, status.size - 1) == 0, unsafe csys_read(descriptor, &last, 1) == 1 else { return false }
        return last == UInt8(ascii: "\n")
    }

    /// Passes the events to `body`, newest first, until it returns false.
    package func readHistory(_ body: (HistoryEvent) -> Bool) throws(StoreError) {
        let descriptor = unsafe csys_open_read(historyPath)
        if descriptor == -Int32(csys_enoent) { return }
        guard descriptor >= 0 else { throw .file("open", path: historyPath, errno: -descriptor) }
        defer { csys_close(descriptor) }
        var status = csys_stat()
        let result = unsafe csys_fstat(descriptor, &status)
        guard result == 0 else { throw .file("look at", path: historyPath, errno: -result) }
        var start = status.size
        // The end of a line that begins in an earlier piece.
        var rest: [UInt8] = []
        var isTooLong = false
        while start > 0 {
            let count = min(start, Self.pieceSize)
            start -= count
            var piece = try readBytes(descriptor, of: historyPath, from: start, count: Int(count))
            if isTooLong {
                guard let end = piece.lastIndex(of: newline) else { continue }
                piece.removeSubrange((end + 1)...)
                isTooLong = false
            }
            piece += rest
            // Bytes before the first newline may begin in an earlier piece.
            let complete = start == 0 ? piece.startIndex : (piece.firstIndex(of: newline).map { $0 + 1 } ?? piece.endIndex)
            rest = Array(piece[..<complete])
            if rest.count > Self.maximumLine { (rest, isTooLong) = ([], true) }
            for line in piece[complete...].split(separator: newline).reversed() {
                if let event = HistoryEvent(line: line), !body(event) { return }
            }
        }
    }

    /// In bytes.
    private static var pieceSize: UInt64 { 64 << 10 }
    /// In bytes: more than a deploy to ten thousand hosts. Longer lines are skipped.
    private static var maximumLine: Int { 4 << 20 }
}

private let newline = UInt8(ascii: "\n")
