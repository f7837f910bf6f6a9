import Age
import CSystem
import Model
import Wire

/// The key with which a host opens sealed files.
struct HostIdentity: ~Copyable {
    private var key: AgeIdentity?
    /// Why there is none.
    private var problem = SealError.noKey

    /// The key that the host was given, or else its SSH key.
    init(_ system: System) throws(AgentError) {
        for path in [Layout.identity, Layout.hostKey] where try system.status(of: path) != nil {
            problem = .keyUnusable
            if let content = try system.secret(path, limit: 16 << 10) { key = AgeIdentity(keyFile: content, BearSSL.self) }
            return
        }
    }

    /// The content of a sealed file; `path` is for messages.
    func open(_ bytes: [UInt8], path: AbsolutePath) throws(AgentError) -> SecretBytes {
        do throws(SealError) {
            return try open(bytes)
        } catch {
            throw AgentError(.sealed(path: path.text, error))
        }
    }

    private func open(_ bytes: [UInt8]) throws(SealError) -> SecretBytes {
        do throws(AgeError) {
            let file = try SealedFile(bytes)
            switch key {
            case .some(let key): return try file.open(with: key, BearSSL.self)
            case nil: break
            }
        } catch {
            switch error {
            case .tooLarge: throw .tooLarge
            case .noStanzaForKey: throw .otherKey
            default: throw .damaged
            }
        }
        throw problem
    }
}
