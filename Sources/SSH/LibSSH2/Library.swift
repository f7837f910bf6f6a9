import CSSH2

/// libssh2 as a whole.
enum Library {
    /// Whether `libssh2_init` succeeded; it runs once, on whatever thread comes first.
    static let isReady = libssh2_init(0) == 0

    /// By the version of the library that runs, not of the headers (`libssh2_version`).
    static let rsaSignatures: RSASignatures = unsafe libssh2_version(0x01_0B_00) == nil ? .sha1 : .sha2
}
