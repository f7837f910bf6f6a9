import Model
import Platform

/// Computes the ID of an object on a thread of its own, while the caller writes the object.
final class BackgroundHasher {
    private struct State {
        var waiting: [[UInt8]] = []
        var isComplete = false
        var id: ObjectID?
    }

    private let state = Monitor(State())
    /// Nil for a small object, and if no more threads can be created.
    private let thread: Thread?
    private var withoutThread: ObjectHasher

    private static let maximumWaiting = 4

    /// `size` in bytes.
    init(_ kind: ObjectKind, size: UInt64) {
        withoutThread = ObjectHasher(kind, size: size)
        guard size >= UInt64(maximumInMemory) else {
            thread = nil
            return
        }
        let state = state
        thread = Thread {
            var hasher = ObjectHasher(kind, size: size)
            while case let pieces = Self.next(state), !pieces.isEmpty {
                for piece in pieces { hasher.update(piece) }
            }
            state.update { $0.id = hasher.finish() }
        }
    }

    /// Waits for the thread to end.
    deinit {
        state.update { $0.isComplete = true }
        thread?.join()
    }

    /// Adds bytes. Waits while the thread is far behind.
    func update(_ piece: [UInt8]) {
        guard thread != nil else { return withoutThread.update(piece) }
        state.wait { $0.waiting.count < Self.maximumWaiting ? () : nil }
        state.update { $0.waiting.append(piece) }
    }

    /// The ID of what was added.
    func finish() -> ObjectID {
        guard thread != nil else { return withoutThread.finish() }
        state.update { $0.isComplete = true }
        return state.wait { $0.id }
    }

    /// Empty after the last piece.
    private static func next(_ state: Monitor<State>) -> [[UInt8]] {
        state.wait { !$0.waiting.isEmpty || $0.isComplete ? () : nil }
        return state.update { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}
