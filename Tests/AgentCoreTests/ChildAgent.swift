import CSystem
import Foundation
import Testing
import Wire

/// An agent in a process of its own, in which a fault can be injected (see `agent-under-test`).
final class ChildAgent {
    struct Fault: CustomStringConvertible {
        var number: Int
        var kind: String

        var description: String { "\(kind) at operation \(number)" }
    }

    let client: Client
    private let pid: Int32

    /// The path of a product built beside the tests.
    private static func built(_ name: String) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: tests).deletingLastPathComponent().path + "/" + name
    }

    /// The words of DEPTOOL_AGENT_UNDER_TEST: an emulator, and the agent for another CPU.
    private static let emulated = ProcessInfo.processInfo.environment["DEPTOOL_AGENT_UNDER_TEST"]?.split(separator: " ").map(String.init)

    static let isEmulated = emulated != nil

    /// What runs the agent.
    static func program() throws -> [String] { try emulated ?? [built("agent-under-test")] }

    /// `timeout` is in milliseconds, `clock` in how many seconds the agent's clock is ahead.
    init(
        _ host: TestHost, executor: String = "inline", fault: Fault? = nil, timeout: Int? = nil, clock: Int? = nil
    ) throws {
        var (ours, theirs): (Int32, Int32) = (-1, -1)
        try #require(csys_socketpair(&ours, &theirs) == 0)
        let null = csys_open_null()
        defer { for descriptor in [theirs, null] { _ = csys_close(descriptor) } }
        var arguments = try Self.program() + [host.root, executor]
        if let timeout { arguments = ["env", "DEPTOOL_TIMEOUT_MS=\(timeout)"] + arguments }
        if let clock {
            arguments = ["env", "DEPTOOL_CLOCK=\(clock)", "LD_PRELOAD=\(try Self.built("libwrong-clock.so"))"] + arguments
        }
        if let fault { arguments += ["\(fault.number)", fault.kind] }
        var bytes: [UInt8] = []
        for argument in arguments { bytes += Array(argument.utf8) + [0] }
        client = Client(ours)
        pid = bytes.withUnsafeBytes { csys_spawn($0.baseAddress, $0.count, arguments.count, theirs, theirs, null) }
        try #require(pid > 0)
    }

    /// The status of an agent that was killed by its fault.
    static let killed: Int32 = 99

    /// Listens to the end; the exit status.
    func finish() throws -> Int32 {
        client.hangUp()
        while try client.receive() != nil {}
        client.close()
        return csys_wait(pid, true)
    }

    /// Ends the agent, whatever it does.
    func kill() {
        _ = csys_kill(pid, 9)
        _ = csys_wait(pid, true)
    }

    /// Leaves, and waits for the agent to see it; the exit status.
    func abandon() -> Int32 {
        client.close()
        return csys_wait(pid, true)
    }

    /// A session that only begins and ends; the greeting, if it came to that.
    static func start(_ host: TestHost, fault: Fault? = nil, clock: Int? = nil) throws -> (status: Int32, hello: Reply?) {
        let child = try ChildAgent(host, fault: fault, clock: clock)
        let hello = try? child.client.greet()
        return (try child.finish(), hello)
    }

    static func deploy(
        _ plan: Plan, to host: TestHost, executor: String = "inline", fault: Fault? = nil, clock: Int? = nil
    ) throws -> (status: Int32, ending: Client.Ending) {
        let child = try ChildAgent(host, executor: executor, fault: fault, clock: clock)
        var ending = Client.Ending.gone
        switch try? child.client.greet() {
        case nil: break
        case .refused(let failure)?: ending = .refused(failure)
        default: ending = try child.client.deploy(plan)
        }
        return (try child.finish(), ending)
    }
}
