import CSystem
import Model
import Wire

/// One attempt of a probe. Its whole time is bounded, whatever the service sends.
///
/// A connection proves only that something listens: the kernel accepts connections for a process that hangs, until the
/// backlog is full.
struct ProbeAttempt {
    private let deadline: Int64
    private let interruption: any Interruption

    /// Asks the service once. The caller runs units itself, so a probe of one is a protocol violation.
    static func run(_ probe: Probe, system: System, interruption: any Interruption) throws(AgentError) -> ProbeAnswer {
        let deadline = csys_monotonic_ns() + Int64(probe.timeout.wholeMilliseconds) * 1_000_000
        let attempt = Self(deadline: deadline, interruption: interruption)
        switch probe.target {
        case .http(let endpoint, _), .tcp(let endpoint), .dns(let endpoint, _, _): return try attempt.ask(probe.target, at: endpoint)
        case .unix(let path): return try attempt.ask(probe.target, at: system.real(path))
        case .unit: throw AgentError(.protocolViolation)
        }
    }

    private func ask(_ target: Probe.Target, at endpoint: Endpoint) throws(AgentError) -> ProbeAnswer {
        guard endpoint.address.isEmpty else { return try ask(target, endpoint.address, endpoint.port) }
        let first = try ask(target, [127, 0, 0, 1], endpoint.port)
        // Any user can listen at an address that the service leaves free, so one that answers wrong is not passed over.
        guard case .unreachable = first else { return first }
        let second = try ask(target, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], endpoint.port)
        // The first error also stands for a host without IPv6.
        if case .unreachable = second { return first }
        return second
    }

    private func ask(_ target: Probe.Target, _ address: [UInt8], _ port: UInt16) throws(AgentError) -> ProbeAnswer {
        var isDatagram = false
        if case .dns = target { isDatagram = true }
        return try unsafe ask(target, on: csys_connect_address(address, address.count, port, isDatagram))
    }

    private func ask(_ target: Probe.Target, at path: String) throws(AgentError) -> ProbeAnswer {
        while true {
            let socket = unsafe csys_connect_unix(path)
            guard socket == -csys_eagain() else { return try ask(target, on: socket) }
            // poll(2) does not report that the backlog has room again.
            let pause = csys_monotonic_ns() + 10_000_000
            _ = try awaitSocket(-1, until: min(pause, deadline), heeding: interruption)
            if csys_monotonic_ns() >= deadline { return .notAccepted }
        }
    }

    /// Asks the service behind a socket that is connecting, and closes the socket; a negative socket is an error.
    private func ask(_ target: Probe.Target, on socket: Int32) throws(AgentError) -> ProbeAnswer {
        guard socket >= 0 else { return .unreachable(code: Int(-socket)) }
        defer { _ = csys_close(socket) }
        guard try awaitSocket(socket, writing: true, until: deadline, heeding: interruption) else { return .notAccepted }
        let result = csys_connect_result(socket)
        guard result >= 0 else { return .unreachable(code: Int(-result)) }
        switch target {
        case .http(_, let request):
            let text =
                "GET " + request.path + " HTTP/1.1\r\nHost: " + request.host
                + "\r\nUser-Agent: deptool\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            return try exchange(text.bytes, expecting: request.status, nil, on: socket)
        case .dns(_, let name, let type):
            var id: UInt16 = 0
            unsafe csys_random(&id, 2)
            let query = DNSQuery(id: id, name: name, type: type)
            return try exchange(query.message, expecting: nil, query, on: socket)
        case .tcp, .unix, .unit: return .passed
        }
    }

    /// Sends a request and waits for the answer: to the query if there is one, otherwise in HTTP.
    private func exchange(
        _ request: [UInt8], expecting status: Int?, _ query: DNSQuery?, on socket: Int32
    ) throws(AgentError) -> ProbeAnswer {
        var answer = HTTPAnswer(expecting: status)
        var rest = request
        var result = ProbeAnswer.late(received: 0)
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while try awaitSocket(socket, writing: !rest.isEmpty, until: deadline, heeding: interruption) {
            if !rest.isEmpty {
                let sent = unsafe csys_send(socket, rest, rest.count)
                // A service may answer and close the connection before it has read the request.
                if sent != -Int64(csys_eagain()) { rest = sent < 0 ? [] : Array(rest[Int(sent)...]) }
            }
            let count = unsafe Int(csys_receive(socket, &buffer, buffer.count))
            if count == -Int(csys_eagain()) { continue }
            if let query {
                if count < 0 { return .unreachable(code: -count) }
                result = query.check(buffer, count: count)
                // Others can send datagrams in the name of the service, so the right one may still come.
                guard case .unrelated = result else { return result }
            } else if count <= 0 {
                return answer.end(count == 0 ? .closed : .reset)
            } else if let result = answer.take(buffer, count: count) {
                return result
            }
        }
        return query == nil ? answer.end(.timeout) : result
    }
}
