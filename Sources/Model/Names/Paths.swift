/// The reason why Deptool rejects a text as a path.
package enum PathError: Error, Hashable, Sendable {
    case empty
    case tooLong
    case notAbsolute
    case absolute
    /// An empty component, `.` or `..`.
    case notNormal
    /// A control character, which would garble output and logs.
    case controlCharacter

    package var phrase: String {
        switch self {
        case .empty: "it is empty"
        case .tooLong: "it is too long"
        case .notAbsolute: "it does not start with '/'"
        case .absolute: "it starts with '/'"
        case .notNormal: "it has an empty, '.' or '..' component"
        case .controlCharacter: "it has a control character"
        }
    }
}

/// Linux's PATH_MAX, less room for the prefixes that Deptool adds, and NAME_MAX; in bytes.
private let maximumPath = 3800
private let maximumComponent = 255

@inline(never) private func check(_ path: ArraySlice<UInt8>) throws(PathError) {
    if path.isEmpty { throw .empty }
    if path.count > maximumPath { throw .tooLong }
    var component = 0
    var dots = 0
    func endComponent() throws(PathError) {
        if component == 0 || (component == dots && dots <= 2) { throw .notNormal }
        if component > maximumComponent { throw .tooLong }
    }
    for byte in path {
        if byte < 0x20 || byte == 0x7f { throw .controlCharacter }
        if byte == UInt8(ascii: "/") {
            try endComponent()
            component = 0
            dots = 0
        } else {
            component += 1
            if byte == UInt8(ascii: ".") { dots += 1 }
        }
    }
    try endComponent()
}

// Linux compares paths as bytes, while Swift compares text by its appearance. `é` can be written in two ways, which are
// two files on a host, and a combining character merges with the `/` before it.

/// The part of `path` after `directory` and a slash; nil if `path` does not start with them, or ends there.
@inline(never) private func rest(of path: String, below directory: String) -> String? {
    guard begins(path, directory) else { return nil }
    let rest = path.bytes.dropFirst(directory.utf8.count)
    guard rest.first == UInt8(ascii: "/"), rest.count > 1 else { return nil }
    return Model.text(rest.dropFirst())
}

/// The last component of a path.
@inline(never) private func name(_ path: String) -> String {
    let bytes = path.bytes
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return text(bytes[(slash + 1)...])
}

/// A normalized path below some directory, such as `zones/example.com.zone`: no leading or trailing `/`, no `.` or
/// `..`. Ordered by bytes.
package struct RelativePath: Hashable, Comparable, Sendable {
    package let text: String

    @inline(never) package init(_ text: String) throws(PathError) {
        if begins(text, "/") { throw .absolute }
        try check(text.bytes[...])
        self.text = text
    }

    /// A path made of parts that are known to be normalized.
    fileprivate init(unchecked text: String) { self.text = text }

    /// The components of the path; at least one.
    @inline(never) package var components: [String] {
        pieces(text, at: UInt8(ascii: "/")).map { Model.text($0) }
    }

    /// The rest of the path below a directory; nil if the path is not below it.
    @inline(never) package func below(_ directory: String) -> RelativePath? { rest(of: text, below: directory).map(Self.init(unchecked:)) }

    /// The last component.
    package var name: String { Model.name(text) }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    @inline(never) package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
    @inline(never) package static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

/// A normalized path from the root of a host's file system, such as `/etc/nsd/nsd.conf`. Never `/` itself.
package struct AbsolutePath: Hashable, Comparable, Sendable {
    package let text: String

    @inline(never) package init(_ text: String) throws(PathError) {
        if text.utf8.isEmpty { throw .empty }
        if !begins(text, "/") { throw .notAbsolute }
        try check(text.bytes.dropFirst())
        self.text = text
    }

    /// A path made of parts that are known to be normalized.
    init(unchecked text: String) { self.text = text }

    /// The rest of the path below a directory; nil if the path is not below it.
    @inline(never) package func below(_ directory: AbsolutePath) -> RelativePath? {
        rest(of: text, below: directory.text).map(RelativePath.init(unchecked:))
    }

    /// The path of `path` below this directory.
    @inline(never) package func appending(_ path: RelativePath) -> AbsolutePath { Self(unchecked: joined(text, path.text)) }

    /// The path of an existing entry of this directory. The name is not checked.
    @inline(never) package func appending(name: String) -> AbsolutePath { Self(unchecked: joined(text, name)) }

    /// The path of a file beside this one: its name plus a suffix.
    @inline(never) package func withSuffix(_ suffix: StaticString) -> AbsolutePath {
        Self(unchecked: text + suffix.withUTF8Buffer { unsafe String(decoding: $0, as: UTF8.self) })
    }

    /// The path of another file in the same directory. The name is not checked.
    @inline(never) package func sibling(name: String) -> AbsolutePath { Self(unchecked: joined(parent?.text ?? "", name)) }

    /// The path of another file in the same directory.
    @inline(never) package func sibling(_ name: StaticString) -> AbsolutePath {
        Self(unchecked: (parent?.text ?? "") + "/").withSuffix(name)
    }

    /// The last component.
    package var name: String { Model.name(text) }

    /// The parent directory; nil if it is `/`.
    @inline(never) package var parent: AbsolutePath? {
        let bytes = text.bytes
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash != 0 else { return nil }
        return Self(unchecked: Model.text(bytes[..<slash]))
    }

    /// Whether this is `directory` or a path below it.
    @inline(never) package func isInside(_ directory: AbsolutePath) -> Bool {
        self == directory || below(directory) != nil
    }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    @inline(never) package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
    @inline(never) package static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

extension RelativePath {
    /// The directory of an app that holds its sealed files.
    package static var secrets: String { "secrets" }

    /// The name under which an app's units find the secret in this sealed file: `api-key` for `secrets/api-key.age`. Nil if the
    /// file is no sealed one, or hidden.
    @inline(never) package var secretName: String? {
        let bytes = text.bytes
        // Behind the directory and its slash, and before the suffix.
        guard begins(text, Self.secrets + "/"), ends(text, ".age"), bytes.count > 12, bytes[8] != UInt8(ascii: ".") else { return nil }
        let name = bytes[8..<bytes.count - 4]
        return name.contains(UInt8(ascii: "/")) ? nil : Model.text(name)
    }
}

extension AbsolutePath {
    /// A path of the sources, which only a debug build checks.
    package init(literal path: String) {
        assert((try? AbsolutePath(path)) != nil)
        self.init(unchecked: path)
    }
}
