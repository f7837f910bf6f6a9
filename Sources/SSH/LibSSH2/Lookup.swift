import CSystem

/// The addresses of a name (getaddrinfo(3), on a thread of its own so that the wait can time out).
@safe struct Lookup: ~Copyable {
    private let handle: OpaquePointer
    let count: Int
    let port: UInt16

    init(
        _ name: String, port: UInt16, family: HostSettings.AddressFamily, interrupt: Interrupt, deadline: Deadline
    ) throws(SSHError) {
        let wanted: csys_family =
            switch family {
            case .any: csys_family_any
            case .inet: csys_family_inet
            case .inet6: csys_family_inet6
            }
        var started: OpaquePointer?
        var ready: Int32 = -1
        try check("getaddrinfo", unsafe csys_lookup_start(name, port, wanted, &started, &ready))
        guard let started = unsafe started else { throw .unknownName(name) }
        do throws(SSHError) {
            _ = try interrupt.wait(for: .readable, on: ready, until: deadline, in: .resolving)
        } catch {
            unsafe csys_lookup_free(started)
            throw error
        }
        let count = unsafe csys_lookup_count(started)
        guard count > 0 else {
            unsafe csys_lookup_free(started)
            throw count == -csys_eagain() ? .resolverSilent(name: name) : .unknownName(name)
        }
        unsafe handle = started
        self.count = Int(count)
        self.port = port
    }

    deinit { unsafe csys_lookup_free(handle) }

    /// Connects to the address at `index` with connect(2), without Nagle's delay.
    func connect(_ index: Int, interrupt: Interrupt, deadline: Deadline) throws(SSHError) -> Descriptor {
        let started = unsafe csys_connect_start(handle, index)
        guard started >= 0 else { throw failure(index, -started) }
        let socket = Descriptor(started)
        _ = try interrupt.wait(for: .writable, on: socket.number, until: deadline, in: .connecting)
        let result = csys_connect_result(socket.number)
        guard result >= 0 else { throw failure(index, -result) }
        return socket
    }

    private func failure(_ index: Int, _ code: Int32) -> SSHError {
        var text = [CChar](repeating: 0, count: 64)
        let length = Int(max(unsafe csys_address_text(handle, index, &text, text.count), 0))
        let address = String(decoding: text.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
        let endpoint = Endpoint(address: address, port: port)
        return code == csys_econnrefused() ? .refused(endpoint) : .unreachable(endpoint, SystemErrorCode(number: code))
    }
}
