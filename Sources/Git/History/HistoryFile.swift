import Model
import Platform

extension Store {
    private var historyPath: String { path + "/history" }

    /// Appends to the history. The events are in the file on return, and on disk after `synchronize`.
    package func note(_ events: [HistoryEvent]) throws(StoreError) {
        try exclusively { () throws(StoreError) in try append(events) }
    }

    private func append(_ events: [HistoryEvent]) throws(StoreError) {
        let file = try attempt("open", historyPath, try FileDescriptor(appendingTo: historyPath, mode: 0o600))
        var text = events.map(\.line).joined()
        // Keep the new events off a line that a power cut left incomplete.
        let size = try attempt("look at", historyPath, try file.status()).size
        if size > 0, (try? file.read(1, at: size - 1)) != [newline] { text = "\n" + text }
        try Git.append(text, to: file, at: historyPath)
    }

    /// Passes the events to `body`, newest first, until it returns false.
    package func readHistory(_ body: (HistoryEvent) -> Bool) throws(StoreError) {
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor(reading: historyPath)
        } catch {
            if error == .noSuchFileOrDirectory { return }
            throw .file("open", path: historyPath, error)
        }
        try read(file, body)
    }

    private func read(_ file: borrowing FileDescriptor, _ body: (HistoryEvent) -> Bool) throws(StoreError) {
        var start = try attempt("look at", historyPath, try file.status()).size
        // The end of a line that begins in an earlier piece.
        var rest: [UInt8] = []
        var isTooLong = false
        while start > 0 {
            let count = min(start, Self.pieceSize)
            start -= count
            var piece = try attempt("read", historyPath, try file.read(Int(count), at: start))
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
