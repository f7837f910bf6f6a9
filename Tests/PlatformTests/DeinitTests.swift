import Foundation
import Platform
import Testing

/// A value releases what it owns at its end, in an optimized build too (see `FileDescriptor`).
struct DeinitTests {
    /// The program as the tests are built, and as the tool is (`make test`).
    private static let programs: [String] = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let optimized = ProcessInfo.processInfo.environment["DEPTOOL_ENDS"]
        return [URL(filePath: tests).deletingLastPathComponent().path + "/ends"] + (optimized.map { [$0] } ?? [])
    }()

    @Test(arguments: programs) func `descriptors are closed and secrets zeroed in whatever way their values end`(program: String) throws {
        var pipe = try Platform.Pipe()
        let process = try ChildProcess([program], in: .own, input: nil, output: pipe.writing.number, error: 2)
        pipe.writing.close()
        let text = try String(decoding: pipe.reading.readAll(), as: UTF8.self)
        #expect(process.wait() == 0)
        #expect(text.wholeMatch(of: /\d+ ways\n/) != nil, "\(text)")
    }

    @Test(arguments: [SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0])
    func `a temporary directory is removed when any signal ends the program`(signal: Int32) throws {
        var pipe = try Platform.Pipe()
        let process = try ChildProcess(
            ["sh", "-c", "ulimit -c 0; SWIFT_BACKTRACE=enable=no exec \"$@\"", "sh", Self.programs[0], "leave", "\(signal)"], in: .own,
            input: nil,
            output: pipe.writing.number, error: 2)
        pipe.writing.close()
        let path = try String(decoding: pipe.reading.readAll(), as: UTF8.self).trimmingCharacters(in: .newlines)
        #expect(process.wait() == (signal == 0 ? 0 : 128 + signal))
        #expect(path.contains("/deptool-") && !exists(path), "\(path)")
    }

    @Test func `a struct that has one with a deinit has a deinit`() throws {
        let sources = URL(filePath: #filePath).appending(path: "../../../Sources").standardizedFileURL.path
        var structs: [(name: String, body: Substring, hasDeinit: Bool)] = []
        for path in try FileManager.default.subpathsOfDirectory(atPath: sources) where path.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(sources)/\(path)", encoding: .utf8)
            for match in text.matches(of: /(?m)^( *)(?:[@\w()]+ )*struct (\w+)[^\n{]*~Copyable[^\n{]*\{$/) {
                // The format check keeps the closing brace below the first word.
                let rest = text[match.range.upperBound...]
                let end = try #require(rest.range(of: "\n\(match.1)}\n"), "\(path): \(match.2)")
                let body = rest[..<end.lowerBound]
                structs.append((String(match.2), body, body.contains("\n\(match.1)    deinit {")))
            }
        }
        let ended = Set(structs.filter(\.hasDeinit).map(\.name))
        #expect(ended.isSuperset(of: ["FileDescriptor", "Pipe", "SocketPair", "File"]))
        for (name, body, hasDeinit) in structs where !hasDeinit {
            let types = body.matches(of: /(?:let|var) \w+: (\w+)\??/).map { String($0.1) }
            #expect(ended.isDisjoint(with: types), "\(name) needs a deinit, even an empty one")
        }
    }
}
