/// Whether a byte may appear in the names that Deptool passes to other programs: ASCII letters, digits, and `extra`.
/// Names that start with `-` or `.` are refused elsewhere, so that no name is an option or a hidden file.
@inline(never) private func isPlain(_ byte: UInt8, _ extra: StaticString) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default:
        extra.withUTF8Buffer { unsafe $0.contains(byte) }
    }
}

@inline(never) private func isName(_ text: String, maximum: Int, extra: StaticString, first: StaticString = "") -> Bool {
    let bytes = text.bytes
    guard let start = bytes.first, bytes.count <= maximum, isPlain(start, first) else { return false }
    return bytes.allSatisfy { isPlain($0, extra) }
}

/// The name of a host: the argument of `ssh NAME`, the name of its directory, and the content of its `/etc/hostname`.
/// At most 253 letters, digits, `.`, `-`, `_`; the first a letter or digit.
package struct Hostname: Hashable, Comparable, Sendable {
    package let text: String

    @inline(never) package init?(_ text: String) {
        guard isName(text, maximum: 253, extra: ".-_") else { return nil }
        self.text = text
    }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
    package static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

/// The name of an app on a host: at most 128 letters, digits, `.`, `-`, `_`, `@`, `+`; the first a letter, digit or `_`.
package struct AppName: Hashable, Comparable, Sendable {
    package let text: String

    /// The name of an app that Deptool makes up, and no config tree can have.
    package static var madeUp: String { "deptool-left" }

    @inline(never) package init?(_ text: String) {
        guard isName(text, maximum: 128, extra: ".-_@+", first: "_") else { return nil }
        self.text = text
    }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
    package static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

/// The name of a group: at most 32 letters, digits, `.`, `-`, `_`; the first a letter, digit or `_`.
package struct GroupName: Hashable, Sendable {
    package let text: String

    @inline(never) package init?(_ text: String) {
        guard isName(text, maximum: 32, extra: ".-_", first: "_") else { return nil }
        self.text = text
    }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
}

/// The name of a user: at most 32 letters, digits, `.`, `-`, `_`; the first a letter, digit or `_`.
package struct UserName: Hashable, Sendable {
    package let text: String

    @inline(never) package init?(_ text: String) {
        guard isName(text, maximum: 32, extra: ".-_", first: "_") else { return nil }
        self.text = text
    }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
}

/// The full name of a systemd unit (systemd.unit(5)): at most 255 of its characters and one of its suffixes.
package struct UnitName: Hashable, Comparable, Sendable {
    package let text: String

    /// The suffixes of units that can be enabled.
    package static let suffixes = [
        ".service", ".socket", ".timer", ".path", ".mount", ".automount", ".target", ".slice", ".swap",
    ]

    @inline(never) package init?(_ text: String) {
        guard isName(text, maximum: 255, extra: ":-_.\\@", first: "_"),
            Self.suffixes.contains(where: { text.utf8.count > $0.utf8.count && ends(text, $0) })
        else { return nil }
        self.text = text
    }

    /// The template of an instance, `a@.service` for `a@b.service`; the unit's own name if it is not an instance.
    @inline(never) package var template: String {
        let bytes = text.bytes
        guard let at = bytes.firstIndex(of: UInt8(ascii: "@")), let dot = bytes.lastIndex(of: UInt8(ascii: ".")), at < dot
        else { return text }
        return Model.text(bytes[...at]) + Model.text(bytes[dot...])
    }

    /// Whether a file, by its path below a directory of unit files, is part of the unit (systemd.unit(5)): its own file
    /// or its template's, or a drop-in for one of these, for a prefix of the name that ends in a dash, or for its type.
    @inline(never) package func consists(of path: RelativePath) -> Bool {
        let parts = path.components
        if parts.count == 1 { return isSameText(parts[0], text) || isSameText(parts[0], template) }
        guard parts.count == 2, ends(parts[1], ".conf"), !begins(parts[1], "."), ends(parts[0], ".d")
        else { return false }
        let (unit, other) = (text.bytes, Array(parts[0].bytes.dropLast(2)))
        guard let dot = unit.lastIndex(of: UInt8(ascii: ".")), other != Array(unit[(dot + 1)...]) else { return true }
        let end = other.count - (unit.count - dot)
        guard end > 0, other[end...] == unit[dot...] else { return false }
        // The part before the type: for `a-b` also `a-`; for an instance `a-b@i` also `a-b@`, `a-@i`, `a-@` and `a-`.
        let at = unit.firstIndex(of: UInt8(ascii: "@")) ?? dot
        var same = 0
        while same < min(at, end), unit[same] == other[same] { same += 1 }
        let rest = other[same..<end]
        if same < at, same == 0 || other[same - 1] != UInt8(ascii: "-") { return false }
        return rest == unit[at..<dot] || rest.isEmpty && same < at || at < dot && rest.count == 1 && rest.first == UInt8(ascii: "@")
    }

    @inline(never) package static func == (a: Self, b: Self) -> Bool { isSameText(a.text, b.text) }
    package func hash(into hasher: inout Hasher) { Model.hash(text, into: &hasher) }
    package static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}
