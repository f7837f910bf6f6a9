import Age
import Platform
import SSH

/// The operator's private keys, read as they are needed.
package final class KeyRing {
    private var keys: [Key] = []
    /// Writes the key without a passphrase, which the operator is asked for, over the private copy at `copy`.
    private let unlock: (_ path: String, _ copy: String) -> Bool

    /// A private key in a file, which a passphrase may protect.
    private final class Key {
        let path: String
        var state: State
        /// Of the public key, if that is readable.
        var tag: [UInt8]?

        enum State {
            case ed25519, age, rsa(RSAKey), locked
            case unusable(Reason)
        }

        /// Beside the state, since it cannot be copied.
        var identity: AgeIdentity?

        init(_ path: String) {
            self.path = path
            state = .unusable(.missing)
        }
    }

    package enum Reason: Hashable, Sendable {
        case missing, unreadable(Errno), publicOnly, securityKey, otherKind, invalid, noPassphrase
    }

    package enum OpenError: Error {
        case file(AgeError)
        /// With the problem of each key; nil for a valid key for which the file is not sealed.
        case noKey([(path: String, reason: Reason?)])
    }

    /// - Parameters:
    ///   - named: the files that the operator named; if empty, the keys of `home` that SSH uses.
    package init(_ named: [String], home: String, unlock: @escaping (_ path: String, _ copy: String) -> Bool) {
        self.unlock = unlock
        let paths = named.isEmpty ? ["id_ed25519", "id_rsa"].map { "\(home)/.ssh/\($0)" } : named
        for path in paths {
            let key = Key(path)
            load(key, from: path)
            if named.isEmpty, case .unusable(.missing) = key.state { continue }
            keys.append(key)
        }
    }

    /// Opens the file with the first key that can.
    package func open(_ file: SealedFile) throws(OpenError) -> SecretBytes {
        for key in keys {
            if let content = try open(file, with: key) { return content }
        }
        for key in keys {
            guard case .locked = key.state, key.tag.map(file.isSealed) ?? true else { continue }
            unlock(key)
            if let content = try open(file, with: key) { return content }
        }
        throw .noKey(
            keys.map { key in
                switch key.state {
                case .unusable(let reason): (key.path, reason)
                case .locked, .ed25519, .age, .rsa: (key.path, nil)
                }
            })
    }

    private func open(_ file: SealedFile, with key: Key) throws(OpenError) -> SecretBytes? {
        do throws(AgeError) {
            switch key.state {
            case .ed25519, .age:
                guard key.identity != nil else { return nil }
                return try key.identity?.open(file)
            case .rsa(let rsa):
                for stanza in file.stanzas where stanza.kind == .rsa && stanza.tag == key.tag {
                    guard let fileKey = rsa.open(stanza.body), fileKey.count == 16 else { continue }
                    return try file.open(key: fileKey, Libcrypto.self)
                }
                return nil
            case .locked, .unusable: return nil
            }
        } catch {
            if case .noStanzaForKey = error { return nil }
            throw .file(error)
        }
    }

    private func load(_ key: Key, from path: String) {
        do throws(Errno) {
            guard let file = try readSecret(from: FileDescriptor(following: path), limit: 64 << 10) else {
                key.state = .unusable(.invalid)
                return
            }
            interpret(file, key)
        } catch {
            key.state = .unusable(error == .noSuchFileOrDirectory ? .missing : .unreadable(error))
        }
    }

    private func interpret(_ file: borrowing SecretBytes, _ key: Key) {
        do throws(KeyFileError) {
            if starts(file, "-----BEGIN OPENSSH") {
                key.tag = OpenSSHKey.publicKey(in: file).map(tag)
                let found = try OpenSSHKey(file)
                if found.isEd25519 {
                    key.identity = try found.identity(Libcrypto.self)
                    key.state = .ed25519
                } else {
                    key.state = RSAKey(found).map { .rsa($0) } ?? .unusable(.invalid)
                }
            } else if starts(file, "-----BEGIN ") {
                guard let rsa = RSAKey(pem: file) else { throw isProtected(file) ? .encrypted : .otherKind }
                key.tag = tag(rsa.publicKey)
                key.state = .rsa(rsa)
            } else {
                key.identity = try AgeIdentity(file: file, Libcrypto.self)
                key.state = .age
            }
        } catch {
            switch error {
            case .encrypted: key.state = .locked
            case .otherKind: key.state = .unusable(isSecurityKey(file) ? .securityKey : .otherKind)
            case .invalid:
                key.state = .unusable(starts(file, "ssh-") || starts(file, "sk-") || starts(file, "age1") ? .publicOnly : .invalid)
            }
        }
    }

    /// With a copy in memory that ssh-keygen(1) writes without a passphrase.
    private func unlock(_ key: Key) {
        let before = key.state
        key.state = .unusable(.noPassphrase)
        guard let opened = try? FileDescriptor(following: key.path) else { return }
        do {
            guard let file = try readSecret(from: opened, limit: 64 << 10) else { return }
            let directory = try PrivateDirectory()
            let copy = try directory.write(file, as: "key")
            if unlock(key.path, copy) {
                key.state = before
                load(key, from: copy)
            }
            if case .locked = key.state { key.state = .unusable(.noPassphrase) }
            withExtendedLifetime(directory) {}
        } catch let error as Errno {
            key.state = .unusable(.unreadable(error))
        } catch PrivateDirectory.FileError.system(let error) {
            key.state = .unusable(.unreadable(error))
        } catch {
            return
        }
    }

    private func tag(_ publicKey: [UInt8]) -> [UInt8] { Array(Libcrypto.sha256(publicKey)[..<4]) }

    private func starts(_ file: borrowing SecretBytes, _ text: String) -> Bool { has(file, text, at: 0) }

    private func has(_ file: borrowing SecretBytes, _ text: String, at place: Int) -> Bool {
        guard file.count - place >= text.utf8.count else { return false }
        for (offset, byte) in text.utf8.enumerated() where file[place + offset] != byte { return false }
        return true
    }

    /// Of a key in PEM (RFC 1421, RFC 5958).
    private func isProtected(_ file: borrowing SecretBytes) -> Bool {
        (0..<min(file.count, 200)).contains { has(file, "ENCRYPTED", at: $0) }
    }

    private func isSecurityKey(_ file: borrowing SecretBytes) -> Bool {
        guard let key = OpenSSHKey.publicKey(in: file) else { return false }
        return key.dropFirst(4).starts(with: "sk-".utf8)
    }
}

extension AgeIdentity {
    fileprivate borrowing func open(_ file: SealedFile) throws(AgeError) -> SecretBytes { try file.open(with: self, Libcrypto.self) }
}
