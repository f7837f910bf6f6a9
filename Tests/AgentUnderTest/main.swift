import AgentCore
import CSystem

// agent-under-test ROOT EXECUTOR [NUMBER FAULT]: an agent whose host is the directory ROOT. EXECUTOR is `inline` or
// `detached`. Its operation NUMBER, counted from one, meets FAULT: `kill`, `tear` (half of a write, then a kill) or
// `kill-child` (only the process that runs the steps).

/// Ends the process at one operation.
final class Killer: OperationGate {
    private let number: Int
    private let tears: Bool
    private let spared: Int32?
    private var count = 0
    private var isTorn = false

    init(number: Int, fault: String) {
        self.number = number
        tears = fault == "tear"
        spared = fault == "kill-child" ? csys_getpid() : nil
    }

    func pass(_ operation: Operation, _ path: String) -> Int32 {
        if csys_getpid() == spared { return 0 }
        count += 1
        if isTorn { csys_exit(99) }
        guard count == number else { return 0 }
        guard tears, operation == .write else { csys_exit(99) }
        isTorn = true
        return 0
    }

    func allowance(_ count: Int) -> Int { isTorn ? max(1, count / 2) : count }
}

csys_ignore_hangup_and_pipe()
csys_set_umask(0o022)
let arguments = CommandLine.arguments
var gate: Killer?
if arguments.count == 5, let number = Int(arguments[3]) { gate = Killer(number: number, fault: arguments[4]) }
Agent(
    system: System(root: arguments[1], gate: gate), port: Port(input: 0, output: 1),
    executor: arguments[2] == "detached" ? DetachedExecutor() : InlineExecutor(), ownName: "deptool-agent-1-aaaaaaaaaa"
).run()
