import Age

extension AgeError {
    /// The problem of a sealed file, after its name.
    package var phrase: String {
        switch self {
        case .notAge: "not a file of age"
        case .armored: "in the text form of age, which is for mail; write it without `-a`"
        case .otherVersion: "in an unsupported version of age"
        case .tooLarge: "larger than \(SealedFile.limit >> 20) MiB"
        case .passphrase: "sealed with a passphrase, which its host does not have"
        case .damaged(.header): "damaged: its header is not one that age writes"
        case .damaged(.stanza): "damaged: what is sealed for this key does not open"
        case .damaged(.mac): "damaged: its header was changed"
        case .damaged(.payload): "damaged: its content was changed, or is not complete"
        case .noStanzaForKey: "not sealed for this key"
        }
    }
}

extension KeyRing.Reason {
    /// Why a key does not open, after the name of its file.
    package var phrase: String {
        switch self {
        case .missing: "there is no such file"
        case .unreadable(let error): "it cannot be read: \(error.text)"
        case .publicOnly: "it is a public key; if ssh-agent holds the private one, that cannot open"
        case .securityKey: "a security key (FIDO) cannot open"
        case .otherKind: "only ed25519 and RSA keys of SSH, and identities of age, can open"
        case .invalid: "it is no private key"
        case .noPassphrase: "it needs its passphrase"
        }
    }
}
