import Model

extension HostTree {
    /// In bytes. A message of the protocol, and the host's record, hold 64 MiB.
    static let maximumListed = 60 << 20

    /// Upper bound of the bytes that the host's files take in the messages before their contents: paths and IDs in
    /// the record, names and IDs in Git's trees, IDs and sizes of contents. Zero for hosts with few files.
    var listedBytes: Int {
        guard apps.reduce(0, { $0 + $1.files.count }) > 100_000 else { return 0 }
        var bytes = 0
        for app in apps {
            var above: ArraySlice<String> = []
            for file in app.files {
                let parts = file.path.components
                bytes += file.path.text.utf8.count + (parts.last?.utf8.count ?? 0) + 90
                // Files of a directory are adjacent, so this counts most directories once.
                let directories = parts.dropLast()
                let shared = zip(above, directories).prefix { $0 == $1 }.count
                for name in directories.dropFirst(shared) { bytes += name.utf8.count + 50 }
                above = directories
            }
        }
        return bytes
    }
}
