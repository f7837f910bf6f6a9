import CSystem
import Model

extension Store {
    /// Checks that symlinks on the way to a file of the config tree lead where an import follows them: to files and directories of the
    /// same repository. The file may be missing, and directories above it. `names` lead to it from the host's directory.
    package func checkLinks(on host: Hostname, _ names: [String], in directory: String) throws(ImportError) {
        let place: RepositoryPlace
        do throws(StoreError) { place = RepositoryPlace(of: try resolved(directory)) } catch { throw .missing(directory: directory) }
        let root = unsafe csys_open_directory(place.root)
        guard root >= 0 else { throw .unreadable(path: place.root, errno: -root) }
        defer { csys_close(root) }
        func full(_ path: String) -> String { place.root == "/" ? "/" + path : "\(place.root)/\(path)" }
        // Without symlinks, below the repository.
        var real = place.cluster.isEmpty ? host.text : "\(place.cluster)/\(host.text)"
        for (index, name) in names.enumerated() {
            var status = csys_stat()
            var buffer = [CChar](repeating: 0, count: 4096)
            let path = real + "/" + name
            let result = unsafe csys_follow(root, path, &buffer, buffer.count, &status)
            var entry = csys_stat()
            let isLink = unsafe csys_lstat(full(path), &entry) == 0 && entry.kind == csys_kind_symlink
            let app = index > 0 ? AppName(names[0]) : nil
            let shown = names[(app == nil ? 0 : 1)...index].joined(separator: "/")
            func problem(_ problem: ImportError.LinkProblem) -> ImportError { .link(.init(host: host, app: app, path: shown), problem) }
            switch -result {
            case 0: break
            case Int32(csys_exdev): throw problem(.leaves(place.root))
            case csys_eloop(): throw problem(.loop)
            case Int32(csys_enoent), Int32(csys_enotdir):
                guard isLink else { return }
                throw problem(.dangling)
            default: throw .unreadable(path: full(path), errno: -result)
            }
            real = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard isLink else { continue }
            if real.split(separator: "/").contains(where: { $0.lowercased() == ".git" }) { throw problem(.git) }
            if full(real) == self.path || full(real).hasPrefix(self.path + "/") { throw problem(.store) }
            guard status.kind == csys_kind_regular || status.kind == csys_kind_directory else { throw problem(.special) }
        }
    }
}
