import Platform

/// The entries of a directory; none if it cannot be read.
func namesOfEntries(in directory: String) -> [String] { ((try? entries(of: directory)) ?? []).map(\.name) }

/// The visible entries of this kind in a directory, ordered by name; none if it cannot be read.
func namesOfEntries(in directory: String, _ kind: FileKind) -> [String] {
    ((try? entries(of: directory)) ?? []).filter { $0.kind == kind && !$0.name.hasPrefix(".") }.map(\.name).sorted()
}

/// The path without `.`, `..` and double slashes, resolved as by the shell's `cd`.
func absolute(_ path: String, in directory: String) -> String {
    var parts: [Substring] = []
    for part in (path.hasPrefix("/") ? path : directory + "/" + path).split(separator: "/") where part != "." {
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}
