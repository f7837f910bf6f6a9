import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Display

@Suite struct PlanMarkdownTests {
    private typealias Apps = [String: [String: String]]

    private func plan(_ old: Apps?, _ new: Apps, on host: String = "web1") throws -> HostPlan {
        try #require(
            HostPlan(
                base: old == nil ? nil : .of(.commit, []), deployed: try old.map { try tree($0, host: host) },
                wanted: try tree(new, host: host), safety: Safety(guard: .never)))
    }

    /// A file's lines are those of the texts with these names.
    private func markdown(_ hosts: [HostPlan], orphans: [String] = [], lines: [String] = ["new"], limit: Int = 60_000) throws -> String {
        let plan = Plan(hosts: hosts, orphans: try orphans.map(hostname))
        return PlanMarkdown(cluster: "prod", limit: limit, time: { "time \($0)" }).render(plan) { file -> FileDiff in
            .text(TextDiff(hunks: [hunk(lines)], added: lines.count, removed: 0))
        }
    }

    private func hunk(_ lines: [String]) -> TextDiff.Hunk {
        TextDiff.Hunk(header: "@@ -0,0 +1 @@", lines: lines.map { TextDiff.Line(.added, $0) })
    }

    @Test func `steps and changed lines of a host are folded`() throws {
        let old = ["web": ["manifest.json": manifest(units: ["web.service"]), "systemd/web.service": "", "conf": "1"]]
        let new = ["web": ["manifest.json": manifest(units: ["web.service"]), "systemd/web.service": "", "conf": "2"]]
        #expect(
            try markdown([plan(old, new)]) == """
                **Deploy to 1 host of cluster <code>prod</code>**

                <details open><summary><b>web1</b>: update web; restart web.service</summary>

                ```text
                update web
                    ~ conf
                    restart unit web.service (conf changed)
                ```

                ```diff
                --- web/conf
                +++ web/conf
                @@ -0,0 +1 @@
                +new
                ```

                </details>

                """)
    }

    @Test func `hosts with the same changes share a section`() throws {
        let (old, new) = (["web": ["conf": "1"]], ["web": ["conf": "2"]])
        let text = try markdown([plan(old, new, on: "a"), plan(old, new, on: "b"), plan(nil, new, on: "c")], orphans: ["d"])
        #expect(text.contains("<details><summary><b>a, b</b>: update web</summary>"))
        #expect(text.contains("<details><summary><b>c</b>: new host; add web</summary>"))
        #expect(text.contains("```text\nNot in the config tree any more, but still deployed:\n    d\n"))
    }

    @Test func `lines of a private app are left out, old and new`() throws {
        let open = ["app": ["conf": "1"]]
        let closed = ["app": ["conf": "2", "manifest.json": #"{"private": true, "checks": [["/bin/x", "/token"]]}"#]]
        for (old, new) in [(open, closed), (closed, open), (closed, [:]), ([:], closed)] as [(Apps, Apps)] {
            let text = try markdown([plan(old, new)], lines: ["SECRET"])
            let hasCheck = new["app"]?["manifest.json"] != nil
            #expect(!text.contains("/token") && text.contains("run a check before anything changes") == hasCheck)
            #expect(!text.contains("SECRET") && text.contains("<code>app</code> is private: its lines are not shown.\n"), "\(text)")
        }
    }

    @Test func `no name and no line breaks the Markdown`() throws {
        let line = "``` \u{202e}</details>\u{1b}[2J<script>alert(1)</script>````"
        let text = try markdown([plan([:], ["app": ["a`b<c>": "1", "```": ""]])], lines: [line])
        #expect(text.contains("\n`````diff\n") && text.contains("\n`````\n\n</details>"), "\(text)")
        #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}"))
        // Outside of the blocks, there is no line of a file.
        var (fence, outside): (String?, [Substring]) = (nil, [])
        for line in text.split(separator: "\n") {
            if let open = fence {
                if line == open { fence = nil }
            } else if line.hasPrefix("```") {
                fence = String(line.prefix { $0 == "`" })
            } else {
                outside.append(line)
            }
        }
        #expect(fence == nil)
        #expect(outside.count == 3 && !outside.contains { $0.contains("script") }, "\(outside)")
    }

    @Test func `a plan that is too long omits lines first, then steps`() throws {
        let hosts = try (0..<100).map { try plan([:], ["app\($0)": ["conf": "1"]], on: "web\($0)") }
        let long = [String(repeating: "x", count: 10_000)]
        let full = try markdown(hosts, lines: long, limit: 10_000_000)
        #expect(full.contains("xxxx"))
        let steps = try markdown(hosts, lines: long)
        #expect(steps.utf8.count <= 60_000 && !steps.contains("xxxx") && steps.contains("+ conf"))
        let names = try markdown(hosts, lines: long, limit: 8000)
        #expect(names.utf8.count <= 8000 && !names.contains("+ conf") && names.contains("- **web99**: add app99\n"))
        #expect(try markdown(hosts, lines: long, limit: 300).utf8.count <= 300)
    }

    @Test func `a plan without changes has a sentence`() throws {
        #expect(
            try markdown([], orphans: ["d"]).hasPrefix("**No host in the config tree of cluster <code>prod</code> has changes**\n"))
        #expect(try markdown([]) == "Nothing to do: every host of cluster <code>prod</code> matches the config tree.\n")
    }
}
