/// Why a sealed file does not open. Nothing here has a byte of content or of a key.
package enum AgeError: Error, Hashable, Sendable {
    /// The file does not begin as one of age does.
    case notAge
    /// The text form of age, which `age -a` writes.
    case armored
    /// Of a version that is not v1.
    case otherVersion
    /// More than ``SealedFile/limit`` bytes.
    case tooLarge
    /// Sealed with a passphrase, which a host could not be reached for.
    case passphrase
    case damaged(Part)
    /// Sealed for other keys only.
    case noStanzaForKey

    package enum Part: Hashable, Sendable {
        /// Its lines are not those that age writes.
        case header
        /// The key of the file, sealed for this key, cannot be opened.
        case stanza
        /// Somebody changed the header.
        case mac
        /// The content is changed, or not complete.
        case payload
    }
}

/// Why a file with a private key cannot be used.
package enum KeyFileError: Error, Hashable, Sendable {
    /// A passphrase protects it.
    case encrypted
    /// A valid key of a kind that cannot open, such as `ecdsa-sha2-nistp256`.
    case otherKind
    /// Neither a private key of OpenSSH nor an identity of age, or a damaged one.
    case invalid
}
