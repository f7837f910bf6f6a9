import Git
import Glibc
import Testing

/// `Sources/CSystem/certificates.c`, beside the libgit2 of this machine.
@Suite struct CertificatesTests {
    @Test func `libgit2 reads no certificates of the system`() throws {
        // Loads libgit2, and so the libraries that it is linked with.
        _ = try Store.present(at: "/nonexistent")
        typealias Parse = @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>) -> Int32
        let found = try #require(dlsym(nil, "mbedtls_x509_crt_parse_file"))
        // The real one returns that it cannot read the file: -0x2900.
        #expect(unsafeBitCast(found, to: Parse.self)(nil, "/nonexistent") == -1)
    }
}
