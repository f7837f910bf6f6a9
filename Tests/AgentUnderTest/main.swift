import AgentCore
import CSystem
import Model

// agent-under-test codec: reads messages and writes them again (Codec.swift).
//
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
// DEPTOOL_AGENT_NAME is its file name on a host.
//
// DEPTOOL_HIT is a file that is made when it comes to the fault.
//
// DEPTOOL_TIMEOUT_MS, in milliseconds, is how long the client may be silent during a deploy.

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
            case let code where ends(code, "+"): .errors(Self.code(code.bytes.dropLast()))
            case let code: .error(Self.code(code.bytes[...]))
            }
    }

    private static func code(_ text: ArraySlice<UInt8>) -> Int32 { Int32(clamping: decimal(text) ?? 5) }

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

/// The name of the program, and what follows it.
func programArguments() -> [String] {
    #if hasFeature(Embedded)
    // Embedded Swift does not have them.
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let file = csys_open_read("/proc/self/cmdline")
    let count = csys_read(file, &bytes, bytes.count)
    return pieces(bytes[..<max(0, Int(count) - 1)], at: 0, withEmpty: true).map { text($0) }
    #else
    return CommandLine.arguments
    #endif
}

func fault(_ arguments: [String]) -> Fault? {
    guard arguments.count == 5, let number = decimal(arguments[3].bytes[...]) else { return nil }
    return Fault(number: Int(number), fault: arguments[4])
}

csys_ignore_hangup_and_pipe()
csys_set_umask(0o022)
let arguments = programArguments()
if arguments.count == 2, isSameText(arguments[1], "codec") { runCodec() }
// Most clients of the tests send no keepalives, and a disk may be slow.
let timeout = csys_getenv("DEPTOOL_TIMEOUT_MS").flatMap { decimal(String(cString: $0).bytes[...]) }
Agent(
    system: System(root: arguments[1], gate: fault(arguments)),
    port: ClientChannel(input: 0, output: 1, timeout: timeout.map { .milliseconds($0) } ?? .seconds(600)),
    executor: isSameText(arguments[2], "detached") ? DetachedExecutor() : InlineExecutor(),
    ownName: csys_getenv("DEPTOOL_AGENT_NAME").map { String(cString: $0) } ?? "deptool-agent-1-aaaaaaaaaa"
).run()
