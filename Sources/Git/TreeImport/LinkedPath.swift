import Model
import Platform

extension Store {
    /// Checks that symlinks on the way to a file of the config tree lead where an import follows them: to files and directories of the
    /// same repository. The file may be missing, and directories above it. `names` lead to it from the host's directory.
    package func checkLinks(on host: Hostname, _ names: [String], in directory: String) throws(ImportError) {
        let place: RepositoryPlace
        do throws(StoreError) { place = RepositoryPlace(of: try resolved(directory)) } catch { throw .missing(directory: directory) }
        let root: FileDescriptor
        do throws(Errno) { root = try FileDescriptor(directory: place.root) } catch { throw .unreadable(path: place.root, error) }
        func full(_ path: String) -> String { place.root == "/" ? "/" + path : "\(place.root)/\(path)" }
        // Without symlinks, below the repository.
        var real = place.cluster.isEmpty ? host.text : "\(place.cluster)/\(host.text)"
        for (index, name) in names.enumerated() {
            let path = real + "/" + name
            let isLink = (try? Platform.status(of: full(path)))?.kind == .symlink
            let app = index > 0 ? AppName(names[0]) : nil
            let shown = names[(app == nil ? 0 : 1)...index].joined(separator: "/")
            func problem(_ problem: ImportError.LinkProblem) -> ImportError { .link(.init(host: host, app: app, path: shown), problem) }
            let kind: FileKind
            do throws(Errno) {
                let found = try root.follow(path)
                real = String(decoding: found.real, as: UTF8.self)
                kind = found.status.kind
            } catch {
                switch error {
                case .improperLink: throw problem(.leaves(place.root))
                case .tooManySymbolicLinkLevels: throw problem(.loop)
                case .noSuchFileOrDirectory, .notDirectory:
                    guard isLink else { return }
                    throw problem(.dangling)
                default: throw .unreadable(path: full(path), error)
                }
            }
            guard isLink else { continue }
            if real.split(separator: "/").contains(where: { $0.lowercased() == ".git" }) { throw problem(.git) }
            if full(real) == self.path || full(real).hasPrefix(self.path + "/") { throw problem(.store) }
            guard kind == .regular || kind == .directory else { throw problem(.special) }
        }
    }
}
