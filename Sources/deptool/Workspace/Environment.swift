import CSystem
import Model

func environment(_ name: String) -> String? {
    guard let value = csys_getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

func workingDirectory() -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = csys_working_directory(&buffer, buffer.count)
    guard length > 0 else { return "." }
    return String(decoding: buffer[..<Int(length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The path without `.`, `..` and double slashes, resolved as by the shell's `cd`.
func absolute(_ path: String, in directory: String) -> String {
    var parts: [Substring] = []
    for part in (path.hasPrefix("/") ? path : directory + "/" + path).split(separator: "/") where part != "." {
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}

func localTime(_ seconds: Int64) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    let length = csys_local_time(seconds, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, Int(length))].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
