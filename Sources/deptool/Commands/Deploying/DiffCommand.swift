import ArgumentParser
import Deployment
import Display
import Git
import Model
import Planning

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show the lines that a deploy would change, or that differ between two deploys.",
        discussion: """
            To compare two deploys, name their commits from `deptool log`, as in `deptool diff 72565f27..7c8e44b8`. Hosts, or \
            apps such as `web1/nginx`, after the commits limit the comparison.

            On a terminal, the output goes through $PAGER or less. Example: `deptool diff --stat`
            """)

    @Argument(
        help: ArgumentHelp(
            "The cluster's directory, or a plan's file; or two commits with '..' between them, and hosts or apps.",
            discussion: "If omitted, the last cluster you used.", valueName: "dir"),
        completion: Complete.differences)
    var words: [String] = []
    @OptionGroup var limit: LimitOption
    @OptionGroup var rendering: RenderOption
    @OptionGroup var output: OutputOption
    @OptionGroup var exit: ExitCodeOption
    @Flag(help: "Count the changed lines of each file instead.")
    var stat = false

    func validate() throws {
        guard words.count < 2 || CommitRange(words[0]) != nil else {
            throw ValidationError("There is one directory or plan, or two commits with '..' between them and hosts.")
        }
        guard stat || !output.json else { throw ValidationError("'--json' needs '--stat'.") }
    }

    func run() throws {
        if let range = words.first.flatMap(CommitRange.init) { return try compare(range) }
        if let planned = try PreparedPlan(words.first, limit, Safety()) {
            return try show(planned.plan.changedFiles, planned.workspace.store, orSay: limit.nothingToDo(planned.workspace, planned.plan))
        }
        let workspace = try Workspace(directory: words.first)
        try rendering.render(workspace)
        let plan = try workspace.plan(try workspace.importTree(), limit.filter)
        try show(plan.changedFiles, workspace.store, orSay: limit.nothingToDo(workspace, plan))
    }

    private func compare(_ range: CommitRange) throws {
        let store = try Workspace.storeOnly()
        try reporting {
            let (old, new) = (try store.commit(named: range.old), try store.commit(named: range.new))
            let difference = try ClusterReader(store).difference(from: old, to: new, limit.limit + words.dropFirst())
            for host in difference.absent {
                Terminal.writeError("\(host.text) is left out: its files at one of the commits were never in this store.\n")
            }
            try show(
                difference.files, store, orSay: "No difference between \(old.short) and \(new.short).\n")
        }
    }

    private func show(_ files: [ChangedFile], _ store: Store, orSay nothing: String) throws {
        let diff = { (file: ChangedFile) throws(StoreError) in
            try store.fileDiff(old: file.old?.id, new: file.new?.id, path: file.path)
        }
        try reporting {
            if output.json {
                JSONOutput.write(try diffJSON(files, diff: diff))
            } else if files.isEmpty {
                Terminal.write(nothing)
            } else if stat {
                Terminal.write(try DiffText(style: Terminal.style).stat(files, diff: diff))
            } else {
                try store.showDiff(files)
            }
        }
        try exit.leave(!files.isEmpty)
    }
}

extension Store {
    /// Shows a diff after `text`. Takes file contents from `contents` where present.
    func showDiff(_ files: [ChangedFile], contents: [ObjectID: HostContent] = [:], after text: String = "") throws {
        let pager = Pager()
        // Ctrl-C belongs to the pager.
        try InterruptSignals.handled(by: { _ in }) {
            defer { pager.finish() }
            pager.write(text)
            try DiffText(style: Terminal.style).render(
                files,
                diff: { file throws(StoreError) in
                    try fileDiff(old: file.old?.id, new: file.new?.id, path: file.path, contents: contents)
                }, print: pager.write)
        }
    }
}

/// Two commits as `A..B`, each the beginning of an ID.
struct CommitRange {
    let old, new: String

    /// Nil for anything else, such as a directory's path.
    init?(_ text: String) {
        guard let dots = text.firstRange(of: "..") else { return nil }
        old = String(text[..<dots.lowerBound])
        new = String(text[dots.upperBound...])
        guard [old, new].allSatisfy({ (4...40).contains($0.utf8.count) && $0.allSatisfy(\.isHexDigit) }) else { return nil }
    }
}
