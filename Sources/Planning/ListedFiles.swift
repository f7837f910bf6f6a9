import Model

extension HostTree {
    /// Bytes. A message of the protocol, and the host's record, hold 64 MiB.
    static let maximumListed = 60 << 20

    /// How many bytes the host's files take, at most, in what is sent before their contents: paths and ids in the record, names and
    /// ids in Git's trees, ids and sizes of contents.
    /// Not looked at where there are few files.
    var listedBytes: Int {
        guard apps.reduce(0, { $0 + $1.files.count }) > 100_000 else { return 0 }
        var bytes = 0
        for app in apps {
            var above: ArraySlice<String> = []
            for file in app.files {
                let parts = file.path.components
                bytes += file.path.text.utf8.count + (parts.last?.utf8.count ?? 0) + 90
                // Files of a directory stand together, so this counts most directories once.
                let directories = parts.dropLast()
                let shared = zip(above, directories).prefix { $0 == $1 }.count
                for name in directories.dropFirst(shared) { bytes += name.utf8.count + 50 }
                above = directories
            }
        }
        return bytes
    }
}
