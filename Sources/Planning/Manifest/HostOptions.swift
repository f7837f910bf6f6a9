/// A host's own `host.json`.
package struct HostOptions: Hashable, Sendable {
    /// The hostname in the host's `/etc/hostname`, if it differs from the name of its directory.
    package var hostname: String?

    package static let fileName = "host.json"

    package init() {}

    package init(parsing bytes: [UInt8]) throws(FormatError) {
        self.init()
        for (key, value) in try FormatError.object(bytes) {
            guard key == "hostname" else { throw .unknownKey(key, line: value.line, known: ["hostname"]) }
            guard case .string(let text) = value.value else {
                throw .wrongType(key, line: value.line, expected: "a string", found: value.kind)
            }
            hostname = text
        }
    }
}
