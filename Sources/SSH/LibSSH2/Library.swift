import CSSH2

/// Global state of libssh2.
enum Library {
    /// Whether `libssh2_init` succeeded; it runs once, on the first thread that asks.
    static let isReady = libssh2_init(0) == 0

    /// By the version of the loaded library, not of the headers (`libssh2_version`).
    static let rsaSignatures: RSASignatures = unsafe libssh2_version(0x01_0B_00) == nil ? .sha1 : .sha2
}

/// The version of libssh2 that runs, and the one whose headers this was compiled with (libssh2_version).
package var libssh2Versions: (running: String, compiled: String) {
    (unsafe libssh2_version(0).map { unsafe String(cString: $0) } ?? "unknown", LIBSSH2_VERSION)
}
