import Foundation
import Git
import Model
import Planning
import TestSupport
import Testing

@testable import Display

@Suite struct PlanHTMLTests {
    private typealias Apps = [String: [String: String]]

    private func plan(_ old: Apps?, _ new: Apps, on host: String = "web1") throws -> HostPlan {
        try #require(
            HostPlan(
                base: old == nil ? nil : .of(.commit, []), deployed: try old.map { try tree($0, host: host) },
                wanted: try tree(new, host: host), safety: Safety(guard: .never)))
    }

    private func html(
        _ hosts: [HostPlan], cluster: String = "prod", limit: Int = 2_000_000, lines: [TextDiff.Line] = [TextDiff.Line(.added, "new")]
    ) throws -> String {
        PlanHTML(cluster: cluster, limit: limit, time: { "time \($0)" }).render(Plan(hosts: hosts, orphans: [])) { _ -> FileDiff in
            .text(TextDiff(hunks: [TextDiff.Hunk(header: "@@ -7,2 +9,2 @@", lines: lines)], added: 1, removed: 0))
        }
    }

    private func rows(_ page: String) -> [String] { page.split(separator: "\n").map(String.init).filter { $0.hasPrefix("<tr") } }

    @Test func `old and new lines are beside each other, with their numbers`() throws {
        let page = try html(
            [plan(["web": ["conf": "1"]], ["web": ["conf": "2"]])],
            lines: [
                TextDiff.Line(.context, "a"), TextDiff.Line(.removed, "b"), TextDiff.Line(.removed, "c"), TextDiff.Line(.added, "d"),
                TextDiff.Line(.context, "e"), TextDiff.Line(.added, "f", endsWithNewline: false),
            ])
        #expect(
            rows(page) == [
                "<tr class=h><td colspan=4>@@ -7,2 +9,2 @@", "<tr class=c><th>7<td>a<th>9<td>a",
                "<tr><th>8<td class=d>b<th>10<td class=a>d",
                "<tr><th>9<td class=d>c<th class=e><td class=e>", "<tr class=c><th>10<td>e<th>11<td>e",
                "<tr><th class=e><td class=e><th>12<td class=a>f <i>no newline</i>",
            ])
        #expect(page.contains("<h1>Deploy to 1 host of cluster prod</h1>"))
        #expect(page.contains("<details class=file open><summary>web/conf <i>changed</i></summary>"))
    }

    @Test func `a unit without a readiness check is named, in HTML and Markdown`() throws {
        let hint = "Deptool cannot determine whether web.service is ready"
        try expectRemark(hint, unit: "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=a.target\n")
        let install = "web.service has no [Install] section, so systemd does not start it at boot.\n"
        try expectRemark(install, unit: "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        try expectRemark(install + "\n" + hint, unit: "[Service]\nExecStart=/bin/true\n")
    }

    private func expectRemark(_ text: String, unit: String) throws {
        let new = try tree(["web": ["manifest.json": manifest(units: ["web.service"]), "systemd/web.service": unit]], host: "web1")
        let host = try #require(HostPlan(base: nil, deployed: nil, wanted: new) { _ in Array(unit.utf8) })
        #expect(try html([host]).contains(text))
        let markdown = PlanMarkdown(cluster: "prod", time: { "\($0)" }).render(Plan(hosts: [host], orphans: [])) { _ in
            FileDiff.binary(oldSize: nil, newSize: nil)
        }
        #expect(markdown.contains("\n```text\n" + text))
    }

    @Test func `hosts with the same changes share a section`() throws {
        let (old, new) = (["web": ["conf": "1"]], ["web": ["conf": "2"]])
        let page = try html([
            plan(old, new, on: "a"), plan(old, new, on: "b"), plan(nil, new, on: "c"), plan(old, ["web": ["conf": "3"]], on: "d"),
        ])
        #expect(page.split(separator: "<section").count == 4)
        #expect(page.contains("<h2>a, b</h2>") && page.contains("<a href=#g0>a, b</a>"))
    }

    /// Names, lines and the cluster come from anybody.
    @Test func `text of a plan is escaped, and nothing is loaded`() throws {
        let hostile = [
            "<script>alert(1)</script>", "\"><img src=x onerror=y>", "</pre></style>", "&lt;", "' onclick='z", "\u{1b}[2J\u{202e}",
        ]
        for text in hostile {
            let page = try html(
                [plan(["web": ["a": "1"]], ["web": ["a": "2", text.filter { $0 != "/" && $0 >= " " && $0 != "\u{202e}" }: "x"]])],
                cluster: text,
                lines: [TextDiff.Line(.added, text), TextDiff.Line(.removed, text), TextDiff.Line(.context, text)])
            // The rest, without escaped characters, is the page's own.
            for tag in page.matches(of: /<[^>]*>/).map({ String($0.output) }) {
                #expect(
                    tag.wholeMatch(
                        of:
                            /<\/?(!doctype html|html lang=en|meta [^<]*|title|style|main|h1|h2|section( id=g\d+)?|details( class=file)?( open)?|summary|pre|p|i|table|col|tr( class=[hc])?|t[dh]( class=[adeh]| colspan=4)?|code|nav|ul|li)>/
                    ) != nil, "\(tag)")
            }
            #expect(!page.contains("\u{1b}") && !page.contains("\u{202e}"))
        }
    }

    @Test func `no content of private apps or sealed files is shown`() throws {
        let secret = "a value that nobody sees"
        let page = try html(
            [
                plan(
                    ["vault": ["manifest.json": #"{"private": true}"#, "a": "1"], "shop": ["secrets/key.age": "1"]],
                    ["vault": ["manifest.json": #"{"private": true}"#, "a": "2"], "shop": ["secrets/key.age": "2"]])
            ], lines: [TextDiff.Line(.added, secret)])
        #expect(!page.contains(secret))
        #expect(page.contains("vault is private: its lines are not shown.") && page.contains("<p>sealed</p>"))
    }

    @Test func `a page has a limit, and lists what it leaves out`() throws {
        let files = Dictionary(uniqueKeysWithValues: (0..<200).map { ("file\($0)", "1") })
        let plans = try (0..<10).map { host in
            try plan(["web": files], ["web": files.mapValues { _ in "changed on \(host)" }], on: "host\(host)")
        }
        let lines = (0..<15).map { TextDiff.Line(.added, "line \($0)") }
        let whole = try html(plans, lines: lines)
        #expect(whole.utf8.count > 1_000_000 && !whole.contains("too long"))
        for limit in [50_000, 100_000, 333_333] {
            let page = try html(plans, limit: limit, lines: lines)
            #expect(page.utf8.count < limit + 60_000)
            #expect(page.contains("the page is too long"))
            // Steps are never left out.
            for plan in plans { #expect(page.contains("<h2>\(plan.host.text)</h2>")) }
        }
    }
}
