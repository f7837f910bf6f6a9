import AgentCore
import CSystem

// agent-under-test ROOT EXECUTOR [NUMBER FAULT]: an agent whose host is the directory ROOT. EXECUTOR is `inline` or
// `detached`. Its operation NUMBER, counted from one, meets FAULT:
//   kill         the process ends
//   tear         half of a write is done, then the process ends
//   short        half of a write is done
//   CODE         it fails with this errno
//   CODE+        it and all that follow fail with this errno
// and with `detached`, where only the operations of the process that runs the steps count:
//   kill-child   that process ends
//   kill-parent  the other one ends
//
// DEPTOOL_AGENT_NAME is the file name by which a host knows it.
//
// DEPTOOL_HIT is a file that is made when it comes to the fault.
//
// DEPTOOL_PATIENCE, in milliseconds, is how long the client may say nothing while a deploy is under way.

final class Fault: OperationGate {
    private enum Kind {
        case kill, tear, short, killParent
        case error(Int32)
        case errors(Int32)
    }

    private let number: Int
    private let kind: Kind
    /// The process whose operations do not count.
    private let spared: Int32?
    private var count = 0

    init(number: Int, fault: String) {
        self.number = number
        spared = fault == "kill-child" || fault == "kill-parent" ? csys_getpid() : nil
        kind =
            switch fault {
            case "kill", "kill-child": .kill
            case "tear": .tear
            case "short": .short
            case "kill-parent": .killParent
            case let code where code.hasSuffix("+"): .errors(Int32(code.dropLast()) ?? 5)
            case let code: .error(Int32(code) ?? 5)
            }
    }

    func pass(_ operation: Operation, _ path: String) -> Int32 {
        if csys_getpid() == spared { return 0 }
        count += 1
        if count == number, let mark = csys_getenv("DEPTOOL_HIT") { _ = csys_close(csys_create_new(mark, 0o644)) }
        switch kind {
        case .kill where count == number: csys_exit(99)
        case .tear where count == number && operation != .write || count == number + 1: csys_exit(99)
        case .killParent where count == number:
            guard let spared else { return 0 }
            _ = csys_kill(spared, 9)
            // Time for it to be gone.
            var nothing = csys_poll_item(fd: -1, readable: false, writable: false)
            _ = csys_poll(&nothing, 1, 20)
        case .error(let code) where count == number: return code
        case .errors(let code) where count >= number: return code
        default: break
        }
        return 0
    }

    func allowance(_ bytes: Int) -> Int {
        switch kind {
        case .tear where count == number, .short where count == number: max(1, bytes / 2)
        default: bytes
        }
    }
}

csys_ignore_hangup_and_pipe()
csys_set_umask(0o022)
let arguments = CommandLine.arguments
var gate: Fault?
if arguments.count == 5, let number = Int(arguments[3]) { gate = Fault(number: number, fault: arguments[4]) }
// Most laptops of the tests give no signs of life, and a disk may take its time.
let timeout = csys_getenv("DEPTOOL_PATIENCE").flatMap { Int(String(cString: $0)) }
Agent(
    system: System(root: arguments[1], gate: gate),
    port: Port(input: 0, output: 1, timeout: timeout.map { .milliseconds($0) } ?? .seconds(600)),
    executor: arguments[2] == "detached" ? DetachedExecutor() : InlineExecutor(),
    ownName: csys_getenv("DEPTOOL_AGENT_NAME").map { String(cString: $0) } ?? "deptool-agent-1-aaaaaaaaaa"
).run()
