import CSystem
import Platform

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
        let result = unsafe csys_lookup_start(name, port, wanted, &started, &ready)
        guard result >= 0 else { throw .system(operation: "getaddrinfo", Errno(-result)) }
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
    func connect(_ index: Int, interrupt: Interrupt, deadline: Deadline) throws(SSHError) -> FileDescriptor {
        let started = unsafe csys_connect_start(handle, index)
        guard started >= 0 else { throw failure(index, Errno(-started)) }
        let socket = FileDescriptor(started)
        _ = try interrupt.wait(for: .writable, on: socket.number, until: deadline, in: .connecting)
        let result = csys_connect_result(socket.number)
        guard result >= 0 else { throw failure(index, Errno(-result)) }
        return socket
    }

    private func failure(_ index: Int, _ error: Errno) -> SSHError {
        let address = try? unsafe Platform.text(upTo: 64) { unsafe csys_address_text(handle, index, $0, $1) }
        let endpoint = SSHEndpoint(address: address ?? "", port: port)
        return error == .connectionRefused ? .refused(endpoint) : .unreachable(endpoint, error)
    }
}
