import Foundation
import TestSupport
import Testing

/// All parsers of data from the other side, with damaged input for a short while; with DEPTOOL_TORTURE=1 for two minutes
/// each. Inputs that once broke something are in `Kept`, by target.
@Suite struct FuzzTests {
    private static let milliseconds = ProcessInfo.processInfo.environment["DEPTOOL_TORTURE"] == nil ? 400 : 120_000

    /// Where the tests are built.
    private static let directory: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().path
    }()

    static let targets = [
        "adopt", "age", "age-key", "agent", "agent-keys", "conversation", "dns-answer", "frames", "guard", "holder", "host-log",
        "http-answer", "journal",
        "known-hosts", "manifest", "manifest-probes",
        "output", "plan-file", "probe", "prompt", "recipients", "record", "reply", "report", "request", "settings", "ssh-output",
        "stored-record", "survey", "survey-contents", "unit-file", "unit-status",
    ]

    private func kept(_ target: String) -> [String] {
        let directory = URL(filePath: #filePath).deletingLastPathComponent().path + "/Kept/\(target)"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.sorted().map { "\(directory)/\($0)" }
    }

    @Test(arguments: targets) func `damaged input is refused or read`(target: String) throws {
        let seed = Seeded().seed
        let input = "\(Self.directory)/fuzz-\(target)-\(seed)"
        let process = Process()
        process.executableURL = URL(filePath: Self.directory + "/fuzz")
        process.arguments = [target, "\(seed)", "\(Self.milliseconds)", input] + kept(target)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // The files that it could not remove itself when a signal ended it.
        for name in ["deptool-fuzz", "deptool-fuzz-store"] {
            try? FileManager.default.removeItem(atPath: "/dev/shm/\(name)-\(process.processIdentifier)")
        }
        let isWell = process.terminationReason == .exit && process.terminationStatus == 0
        #expect(isWell, "\(target), seed \(seed): status \(process.terminationStatus), the input is in \(input)\n\(text.suffix(4000))")
        if isWell { try? FileManager.default.removeItem(atPath: input) }
    }
}
