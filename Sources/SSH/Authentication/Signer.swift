import CSSH2

/// Signs libssh2's data in Swift.
final class Signer {
    private let sign: ([UInt8], _ algorithm: String) throws(SSHError) -> [UInt8]?
    private(set) var wasAsked = false
    private(set) var hasSigned = false
    private(set) var error: SSHError?

    /// `sign` returns nil to refuse.
    init(_ sign: @escaping ([UInt8], _ algorithm: String) throws(SSHError) -> [UInt8]?) { self.sign = sign }

    fileprivate func signature(_ data: [UInt8]) -> [UInt8]? {
        wasAsked = true
        do throws(SSHError) {
            let signature = try Self.algorithm(data).flatMap { algorithm throws(SSHError) in
                try sign(data, algorithm)
            }
            hasSigned = signature != nil
            return signature
        } catch {
            self.error = error
            return nil
        }
    }

    /// The algorithm named in the data to be signed (RFC 4252, section 7).
    private static func algorithm(_ data: [UInt8]) -> String? {
        var reader = SSHWireReader(data)
        guard reader.string() != nil, reader.byte() == 50, reader.string() != nil, reader.string() != nil,
            reader.string() != nil, reader.byte() == 1
        else { return nil }
        return reader.string().map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A `LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC` whose `abstract` is a ``Signer``.
let signForLibrary:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, UnsafeMutablePointer<Int>?,
        UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Int32 = { _, signature, length, data, count, abstract in
        guard let signature = unsafe signature, let length = unsafe length,
            let context = unsafe abstract?.pointee
        else { return -1 }
        let signer = unsafe Unmanaged<Signer>.fromOpaque(context).takeUnretainedValue()
        guard let bytes = signer.signature(unsafe Array(UnsafeBufferPointer(start: data, count: count))),
            let memory = unsafe csh2_allocate(bytes.count)
        else { return -1 }
        unsafe memory.copyMemory(from: bytes, byteCount: bytes.count)
        unsafe signature.pointee = memory.assumingMemoryBound(to: UInt8.self)
        unsafe length.pointee = bytes.count
        return 0
    }
