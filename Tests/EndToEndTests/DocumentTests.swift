import Foundation
import Glibc
import Testing

/// Tests of the documents: quoted messages and linked files exist.
@Suite struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL.path

    /// The paths of the files below a directory, from there.
    private func files(_ suffix: String, below directory: String = root) throws -> [String] {
        let all = try #require(FileManager.default.enumerator(atPath: directory))
        return all.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") && !$0.hasPrefix("build/") }
    }

    @Test func `every block in a document is compared by a test`() throws {
        let documents = try files(".md")
        #expect(documents.contains("Manual/tutorial.md") && documents.contains("examples/dns/README.md"))
        var run: [String] = []
        for path in documents {
            let transcript = try Transcript("\(Self.root)/\(path)")
            #expect(transcript.untested == [])
            if !transcript.pieces.isEmpty { run.append(path) }
        }
        #expect(Set(run) == Set(Page.all.map(\.path)))
    }

    @Test func `a block that no test compares is found`() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "deptool-test-\(UUID()).md").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func untested(_ text: String) throws -> Int {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return try Transcript(path).untested.count
        }
        #expect(try untested("```console\n$ deptool plan\nError: x\n```\n\n```sh\nmake\n```\n\n```text\nprod\n└── web1\n```\n") == 0)
        #expect(try untested("<!-- shown by\ndeptool plan\n-->\n\n```console\n  web1: done\n```\n") == 0)
        #expect(try untested("<!-- drawn by ProgressTests -->\n\n```console\n  web1: done\n```\n\n```console\n  web1: done\n```\n") == 1)
        for block in ["```\nprod\n```", "```console\n  web1: done\n```", "```text\n$ deptool plan\n```", "  ```sh\n  Error: x\n  ```"] {
            #expect(try untested(block + "\n") == 1, "\(block)")
        }
    }

    @Test func `the index leads to every page and every example`() throws {
        let decisions = try String(contentsOfFile: "\(Self.root)/Manual/decisions/README.md", encoding: .utf8)
        let index =
            try String(contentsOfFile: "\(Self.root)/Manual/index.md", encoding: .utf8) + decisions.replacing("](", with: "](decisions/")
        for path in try files(".md") where path != "Manual/index.md" {
            let target = path.hasPrefix("Manual/") ? String(path.dropFirst("Manual/".count)) : "../\(path)"
            if path.hasPrefix("Manual/") || path.hasPrefix("examples/") { #expect(index.contains("](\(target))"), "\(path)") }
        }
    }

    @Test func `every link leads somewhere`() throws {
        let environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"]
        let output = try Program(["Scripts/check-links"], in: Self.root, environment: environment).finish()
        #expect(output.code == 0 && output.errors == "", "\(output)")
    }

    @Test func `every path and every member that CONTRIBUTING names exists`() throws {
        let text = try String(contentsOfFile: "\(Self.root)/CONTRIBUTING.md", encoding: .utf8).replacing(
            #/```.*?```/#.dotMatchesNewlines(), with: "")
        let names = text.matches(of: /`([A-Za-z][^`\s]*)`/).map { String($0.output.1) }
        let paths = names.filter { $0.contains("/") && $0.contains(/^[A-Z].*[A-Za-z]$/) && !$0.contains(/[*|:]|TARGET|MODULE/) }
        #expect(paths.count > 30)
        let manager = FileManager.default
        #expect(paths.filter { path in !["", "/Sources"].contains { manager.fileExists(atPath: "\(Self.root)\($0)/\(path)") } } == [])
        let sources = try files(".swift", below: "\(Self.root)/Sources")
        let fileNames = names.filter { $0.hasSuffix(".swift") }.map { URL(filePath: $0).lastPathComponent }
        let known = try (sources + files(".swift", below: "\(Self.root)/Tests")).map { URL(filePath: $0).lastPathComponent }
        #expect(Set(fileNames).subtracting(known + ["Deptool.swift"]) == [])
        let code = try sources.map { try String(contentsOfFile: "\(Self.root)/Sources/\($0)", encoding: .utf8) }.joined()
        let members = names.filter { $0.contains(/^[A-Z][A-Za-z]+\.[a-z][A-Za-z]+$/) && !$0.hasSuffix(".swift") && !$0.hasSuffix(".md") }
        #expect(members.count > 5)
        for member in members {
            let parts = member.split(separator: ".")
            let (type, name) = (try Regex("\\b\(parts[0])\\b"), try Regex("(let|var|func|case) `?\(parts[1])\\b"))
            #expect(code.contains(type) && code.contains(name), "\(member)")
        }
    }

    @Test func `packages of other systems are of this version`() throws {
        let source = try String(contentsOfFile: "\(Self.root)/Sources/Deployment/ToolVersion.swift", encoding: .utf8)
        let version = try #require(source.firstMatch(of: /toolVersion = "(.*)"/)?.output.1)
        for path in ["flake.nix", "packaging/deptool.rb"] {
            let versions = try String(contentsOfFile: "\(Self.root)/\(path)", encoding: .utf8).matches(of: /\d+\.\d+\.\d+/).map(\.output)
            #expect(versions.count >= 2 && versions.allSatisfy { $0 == version }, "\(path)")
        }
    }

    @Test func `the sources have every message that troubleshooting explains`() throws {
        let messages = try quotations("Manual/troubleshooting.md")
        #expect(messages.count > 90)
        let texts = try files(".swift", below: "\(Self.root)/Sources").flatMap {
            literals(try String(contentsOfFile: "\(Self.root)/Sources/\($0)", encoding: .utf8))
        }
        let system = [EHOSTUNREACH, ENETUNREACH].map { String(cString: strerror($0)).lowercased() }
        let phrases = Phrases(texts + system)
        #expect(messages.filter { !phrases.make($0) } == [])
        #expect(["no stork in … or a parent directory", "unit … did not become steady within 90 s"].filter(phrases.make) == [])
    }

    /// Text in bold or italics, outside of blocks and comments.
    private func quotations(_ path: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(Self.root)/\(path)", encoding: .utf8)
            .replacing(#/```.*?```|<!--.*?-->/#.dotMatchesNewlines(), with: "")
        let bold = #/\*\*([^*]+)\*\*/#
        let italics = #/\*([^*'\s][^*]*)\*/#
        return (text.matches(of: bold) + text.replacing(bold, with: "").matches(of: italics)).map {
            String($0.output.1).replacing("\n", with: " ")
        }
    }

    /// The string literals of a source file, without interpolations. Other code between quotation marks does no harm.
    private func literals(_ source: String) -> [String] {
        source.replacing(/\/\/.*/, with: "").replacing(/\\\n\ */, with: "").split(separator: "\"").flatMap {
            $0.split(separator: /\\\([^()]*(?:\([^()]*\)[^()]*)*\)?/).map(String.init)
        }
    }
}

/// The phrases that messages are made of.
private struct Phrases {
    private let whole: Set<String>
    /// All of them, each between line breaks, words between single spaces.
    private let text: String

    init(_ literals: [String]) {
        let all = Set(literals.map { Self.words($0).joined(separator: " ") })
        whole = all
        text = all.map { " \($0) " }.joined(separator: "\n")
    }

    private static func words(_ text: some StringProtocol) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "'\"`.,:;()\\")) }.filter {
            !$0.isEmpty
        }
    }

    /// Whether a message can be put together. Variable parts (`…`, numbers, paths) match anything. The rest must be phrases
    /// of the sources: a whole literal, two words at least, or one word beside a variable part.
    func make(_ message: String) -> Bool {
        let parts = message.split(separator: " ").split { $0.contains(/[…0-9\/]/) }
        return parts.allSatisfy { part in
            let words = Self.words(part.joined(separator: " "))
            var reached: Set = [0]
            for start in words.indices where reached.contains(start) {
                for end in start + 1...words.count {
                    let phrase = words[start..<end].joined(separator: " ")
                    guard strstr(text, " \(phrase) ") != nil else { break }
                    if end - start > 1 || start == 0 || end == words.count || whole.contains(phrase) { reached.insert(end) }
                }
            }
            return reached.contains(words.count)
        }
    }
}
