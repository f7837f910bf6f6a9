import CGit2
import Model

/// The change to a file's content.
package enum FileDiff: Hashable, Sendable {
    case text(TextDiff)
    /// Not text, or too large to show. Sizes in bytes; nil if the file does not exist.
    case binary(oldSize: UInt64?, newSize: UInt64?)
}

/// The changed lines of a file, with some unchanged ones around them.
package struct TextDiff: Hashable, Sendable {
    package var hunks: [Hunk]
    /// Numbers of lines.
    package var added: Int
    package var removed: Int

    package init(hunks: [Hunk], added: Int, removed: Int) {
        self.hunks = hunks
        self.added = added
        self.removed = removed
    }

    package struct Hunk: Hashable, Sendable {
        /// `@@ -1,3 +1,4 @@`, optionally with the line before the hunk that names its context; no newline.
        package var header: String
        package var lines: [Line]

        package init(header: String, lines: [Line]) {
            self.header = header
            self.lines = lines
        }
    }

    package struct Line: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            case context, added, removed
        }

        package var kind: Kind
        /// Without its newline. Invalid UTF-8 is replaced.
        package var text: String
        /// False for the last line of a file that does not end in a newline.
        package var endsWithNewline: Bool

        package init(_ kind: Kind, _ text: String, endsWithNewline: Bool = true) {
            self.kind = kind
            self.text = text
            self.endsWithNewline = endsWithNewline
        }
    }
}

/// The content of a file on a host that the store lacks.
package enum HostContent: Hashable, Sendable {
    case bytes([UInt8])
    /// Too large, or gone; its former size in bytes.
    case unseen(size: UInt64)
}

extension Store {
    /// The size in bytes above which a file counts as binary.
    package static let maximumDiffed: UInt64 = 4 << 20

    /// Compares two versions of a file (git_patch_from_buffers); nil is an absent file. A zero byte near the start
    /// makes a file binary, as in Git. Takes versions from `contents` where present.
    package func fileDiff(
        old: ObjectID?, new: ObjectID?, path: String, contents: [ObjectID: HostContent] = [:]
    ) throws(StoreError) -> FileDiff {
        func size(_ id: ObjectID?) throws(StoreError) -> UInt64? {
            guard let id else { return nil }
            switch contents[id] {
            case .bytes(let bytes): return UInt64(bytes.count)
            case .unseen(let size): return size
            case nil: return try blobSize(id)
            }
        }
        func bytes(_ id: ObjectID?) throws(StoreError) -> [UInt8]? {
            guard let id else { return nil }
            if case .bytes(let bytes) = contents[id] { return bytes }
            return try blob(id, limit: .max)
        }
        let (oldSize, newSize) = (try size(old), try size(new))
        let binary = FileDiff.binary(oldSize: oldSize, newSize: newSize)
        let isUnseen = [old, new].contains { id in
            if let id, case .unseen = contents[id] { true } else { false }
        }
        guard !isUnseen, max(oldSize ?? 0, newSize ?? 0) <= Self.maximumDiffed else { return binary }
        let (before, after) = (try bytes(old), try bytes(new))
        if let before, let after, let tedious = TediousDiff(before, after) {
            return isBinary(before) || isBinary(after) ? binary : .text(tedious.replacement())
        }
        return try compare(before, after, path: path, binary: binary)
    }

    private func compare(_ before: [UInt8]?, _ after: [UInt8]?, path: String, binary: FileDiff) throws(StoreError) -> FileDiff {
        var options = unsafe git_diff_options()
        try check("compare \(path)") { unsafe git_diff_options_init(&options, UInt32(GIT_DIFF_OPTIONS_VERSION)) }
        // The patch points into both buffers while it lives. Null means an absent file, but an empty array may also lend it.
        let old = (before ?? []) + [0], new = (after ?? []) + [0]
        defer { withExtendedLifetime((old, new)) {} }
        let handle = try unsafe Handle("compare \(path)", git_patch_free) { patch in
            unsafe old.withUnsafeBytes { a in
                unsafe new.withUnsafeBytes { b in
                    unsafe git_patch_from_buffers(
                        &patch, before == nil ? nil : a.baseAddress, a.count - 1, path, after == nil ? nil : b.baseAddress, b.count - 1,
                        path,
                        &options)
                }
            }
        }
        let patch = unsafe handle.pointer
        if let delta = unsafe git_patch_get_delta(patch), unsafe delta.pointee.flags & GIT_DIFF_FLAG_BINARY.rawValue != 0 {
            return binary
        }
        var result = TextDiff(hunks: [], added: 0, removed: 0)
        for index in 0..<(unsafe git_patch_num_hunks(patch)) {
            let hunk = try unsafe hunk(index, of: patch, path)
            result.added += hunk.lines.count { $0.kind == .added }
            result.removed += hunk.lines.count { $0.kind == .removed }
            result.hunks.append(hunk)
        }
        return .text(result)
    }

    /// Git's own test.
    private func isBinary(_ bytes: [UInt8]) -> Bool { bytes.prefix(8000).contains(0) }

    private func hunk(_ index: Int, of patch: OpaquePointer, _ path: String) throws(StoreError) -> TextDiff.Hunk {
        var made: UnsafePointer<git_diff_hunk>?
        var count = 0
        try check("compare \(path)") { unsafe git_patch_get_hunk(&made, &count, patch, index) }
        guard let hunk = unsafe made else { throw .git("compare \(path)", message: "no reason given") }
        var header = unsafe withUnsafeBytes(of: hunk.pointee.header) {
            unsafe String(decoding: $0.prefix(min(hunk.pointee.header_len, $0.count)), as: UTF8.self)
        }
        while header.last?.isNewline == true { header.removeLast() }
        var lines: [TextDiff.Line] = []
        for number in 0..<count {
            var line: UnsafePointer<git_diff_line>?
            try check("compare \(path)") { unsafe git_patch_get_line_in_hunk(&line, patch, index, number) }
            if let line = unsafe line, let line = unsafe TextDiff.Line(line.pointee) { lines.append(line) }
        }
        return TextDiff.Hunk(header: header, lines: lines)
    }
}

extension TextDiff.Line {
    /// Nil for the remark about a missing newline, which `endsWithNewline` of the line before covers.
    fileprivate init?(_ line: git_diff_line) {
        switch UInt32(UInt8(bitPattern: unsafe line.origin)) {
        case GIT_DIFF_LINE_CONTEXT.rawValue: kind = .context
        case GIT_DIFF_LINE_ADDITION.rawValue: kind = .added
        case GIT_DIFF_LINE_DELETION.rawValue: kind = .removed
        default: return nil
        }
        var bytes = unsafe UnsafeRawBufferPointer(start: line.content, count: line.content_len)[...]
        endsWithNewline = unsafe bytes.last == UInt8(ascii: "\n")
        if endsWithNewline { unsafe bytes.removeLast() }
        text = unsafe String(decoding: bytes, as: UTF8.self)
    }
}
