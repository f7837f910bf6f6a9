import Platform

/// An identity file: a private key, or the public half of one that the agent holds.
struct KeyFile {
    let path: String
    let content: Content
    /// From the file itself, or from the `.pub` file beside it.
    let publicKey: PublicKey?

    enum Content {
        case publicOnly
        /// The text of the key.
        case privateKey(Secret, Protection)
        case unreadable(message: String)
    }

    enum Protection {
        case none, passphrase
        /// Encrypted with a cipher that libssh2 lacks: no passphrase helps.
        case beyondLibrary
    }

    /// Nil if the file does not exist.
    init?(at path: String) {
        self.path = path
        var bytes: [UInt8] = []
        defer { zero(&bytes) }
        do throws(SSHError) {
            guard let found = try readOwnFile(path, limit: 64 * 1024) else { return nil }
            bytes = found
        } catch {
            publicKey = nil
            content = .unreadable(message: error.phrase)
            return
        }
        if let key = Self.firstLine(bytes) {
            publicKey = key
            content = .publicOnly
            return
        }
        let beside = (try? readOwnFile(path + ".pub", limit: 64 * 1024)).flatMap { $0.flatMap(Self.firstLine) }
        guard let text = Secret(copying: bytes) else { return nil }
        switch PrivateKeyFormat(bytes) {
        case .openSSH(let key, let protection):
            publicKey = key
            content = .privateKey(text, protection)
        case .pem(let protection):
            publicKey = beside
            content = .privateKey(text, protection)
        case nil:
            publicKey = beside
            content = .unreadable(message: "not a private key")
        }
    }

    private static func firstLine(_ bytes: [UInt8]) -> PublicKey? {
        bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }).first
            .flatMap(PublicKey.init(line:))
    }
}

extension Secret {
    fileprivate convenience init?(copying bytes: borrowing [UInt8]) {
        self.init(upTo: bytes.count) { copy in
            for index in bytes.indices { copy.append(bytes[index]) }
            return true
        }
    }
}

/// The properties of a private key that are readable without its passphrase.
enum PrivateKeyFormat {
    /// `openssh-key-v1` (OpenSSH's PROTOCOL.key), which contains the public key in the clear.
    case openSSH(PublicKey, KeyFile.Protection)
    /// PKCS#1, PKCS#8 or SEC 1.
    case pem(KeyFile.Protection)

    /// libssh2's ciphers that OpenSSH writes, or used to write.
    private static let ciphers: Set = [
        "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-ctr", "aes192-ctr", "aes256-ctr", "3des-cbc",
    ]

    init?(_ bytes: [UInt8]) {
        let lines = bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
        guard let start = lines.firstIndex(where: { $0.starts(with: "-----BEGIN ".utf8) }) else { return nil }
        let header = String(decoding: lines[start], as: UTF8.self)
        guard header.hasPrefix("-----BEGIN OPENSSH PRIVATE KEY-----") else {
            guard header.hasSuffix("PRIVATE KEY-----") else { return nil }
            let isEncrypted =
                header.hasPrefix("-----BEGIN ENCRYPTED ")
                || lines.dropFirst(start + 1).first.map { $0.starts(with: "Proc-Type: 4,ENCRYPTED".utf8) } ?? false
            self = .pem(isEncrypted ? .passphrase : .none)
            return
        }
        let body = lines[(start + 1)...].prefix { !$0.starts(with: "-----END".utf8) }
        var encoded = Array(body.joined())
        var decoded = Base64.decode(encoded) ?? []
        defer {
            zero(&encoded)
            zero(&decoded)
        }
        guard let format = Self.publicPart(of: decoded) else { return nil }
        self = format
    }

    /// Reads the fields before the private part.
    private static func publicPart(of decoded: [UInt8]) -> Self? {
        let magic = Array("openssh-key-v1\0".utf8)
        guard decoded.starts(with: magic) else { return nil }
        var reader = SSHWireReader(decoded.dropFirst(magic.count))
        guard let cipher = reader.string(), reader.string() != nil, reader.string() != nil, reader.number() == 1,
            let key = reader.string().flatMap(PublicKey.init(blob:))
        else { return nil }
        let name = String(decoding: cipher, as: UTF8.self)
        return .openSSH(key, name == "none" ? .none : ciphers.contains(name) ? .passphrase : .beyondLibrary)
    }
}
