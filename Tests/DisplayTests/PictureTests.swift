import Foundation
import TestSupport
import Testing

/// The picture in the README is its first transcript, which `TranscriptTests` compares with a real run. After a change of
/// that, `DEPTOOL_RECORD=1` draws it again, and fails.
@Suite struct PictureTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func `the picture of a deploy shows the transcript in the README`() throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        let block = try #require(readme.firstMatch(of: #/```console\n(.*?)\n```/#.dotMatchesNewlines()))
        let drawn = picture(block.1.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
        let file = Self.root.appending(path: "Manual/images/deploy.svg")
        let kept = try? String(contentsOf: file, encoding: .utf8)
        if ProcessInfo.processInfo.environment["DEPTOOL_RECORD"] != nil { try drawn.write(to: file, atomically: true, encoding: .utf8) }
        #expect(drawn == kept)
    }

    private func picture(_ lines: [String]) -> String {
        let (width, height) = (24 + 8 * (lines.map(\.count).max() ?? 0), 28 + 20 * lines.count)
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" width="\(width)" role="img" aria-label="A terminal: deptool deploy \
            prints what changes on each host, asks, and deploys.">
              <style>
                text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d1d7e0; white-space: pre }
                .command { fill: #f0f6fc; font-weight: bold } .changed { fill: #e3b341 } .done { fill: #56d364 }
              </style>
              <rect width="100%" height="100%" rx="8" fill="#151b23"/>

            """
        for (index, line) in lines.enumerated() where !line.isEmpty {
            let kind = line.hasPrefix("$ ") ? "command" : line.contains("~ ") ? "changed" : line.hasSuffix(": done") ? "done" : nil
            let escaped = line.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            text +=
                "  <text\(kind.map { " class=\"\($0)\"" } ?? "") x=\"12\" y=\"\(28 + 20 * index)\" xml:space=\"preserve\">\(escaped)</text>\n"
        }
        return text + "</svg>\n"
    }
}
