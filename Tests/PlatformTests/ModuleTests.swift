import Foundation
import Testing

/// Imports point only downwards (CONTRIBUTING.md, "Modules").
struct ModuleTests {
    private static let allowed: [String: Set<String>] = [
        "Model": ["CSHA1"],
        "Platform": ["CSystem"],
        "Wire": ["Model"],
        "Age": ["CSystem", "Model"],
        "AgentCore": ["Age", "CBearSSL", "CSystem", "Model", "Wire"],
        "deptool-agent": ["AgentCore", "CSystem"],
        "Git": ["CGit2", "CSystem", "Model", "Platform"],
        "SSH": ["CSSH2", "CSystem", "Model", "Platform"],
        "Sealing": ["Age", "CCrypto", "CSystem", "Model", "Platform", "SSH"],
        "Planning": ["Model"],
        "Deployment": ["Age", "CAgents", "CSystem", "Git", "Model", "Planning", "Platform", "SSH", "Sealing", "Wire"],
        "Display": ["Age", "Deployment", "Git", "Model", "Planning", "SSH", "Sealing", "Wire"],
        "deptool": [
            "Age", "ArgumentParser", "CSystem", "Deployment", "Display", "Git", "Model", "Planning", "Platform", "SSH", "Sealing", "Wire",
        ],
    ]
    private static let standard: Set = ["Synchronization"]

    @Test func `modules import only what is below them`() throws {
        let sources = URL(filePath: #filePath).appending(path: "../../../Sources").standardizedFileURL.path
        for path in try FileManager.default.subpathsOfDirectory(atPath: sources) where path.hasSuffix(".swift") {
            let module = path.prefix { $0 != "/" }
            let text = try String(contentsOfFile: "\(sources)/\(path)", encoding: .utf8)
            let imported = text.split(separator: "\n").filter { $0.hasPrefix("import ") }.map { String($0.dropFirst("import ".count)) }
            let allowed = try #require(Self.allowed[String(module)], "\(module) is not in the table")
            #expect(Set(imported).subtracting(allowed).subtracting(Self.standard).isEmpty, "\(path)")
        }
    }
}
