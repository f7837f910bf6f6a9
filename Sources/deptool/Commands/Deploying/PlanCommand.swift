import ArgumentParser
import Deployment
import Display
import Git
import Model
import Planning
import Platform

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show exactly what a deploy would do. Opens no connections.",
        discussion: """
            With `--out`, plan also writes the plan to a file. `deptool deploy` takes that file, here or elsewhere.

            Example: `deptool plan --limit 'web*' --out web.plan`
            """)

    @OptionGroup var cluster: PlanArgument
    @OptionGroup var limit: LimitOption
    @OptionGroup var safety: SafetyOptions
    @OptionGroup var held: HeldOption
    @OptionGroup var rendering: RenderOption
    @OptionGroup var output: OutputOption
    @OptionGroup var exit: ExitCodeOption
    @Flag(help: "Where links and copies go, leave files with the same content on the host, as `deploy --leave-files` does.")
    var leaveFiles = false
    @Option(help: ArgumentHelp("Also write the plan to this file.", valueName: "file"), completion: .file())
    var out: String?
    @Option(
        help: ArgumentHelp("Find the keys of hosts by this ssh configuration instead of your own.", valueName: "file"), completion: .file())
    var sshConfig: String?
    @Option(help: "Print the plan as text; or with the changed lines, for a review: as Markdown, or as a page of HTML.")
    var format = PlanFormat.text

    func validate() throws {
        guard format == .text || !output.json else { throw ValidationError("'--format' and '--json' exclude each other.") }
        guard !leaveFiles || out == nil else { throw ValidationError("'--leave-files' takes two deploys: it cannot be used with '--out'.") }
    }

    func run() throws {
        let file = try PreparedPlan(cluster.dir, limit, safety.safety)
        guard file == nil || !leaveFiles else { throw CommandError("`--leave-files` cannot be used with a plan file") }
        var planned = try file ?? fromTree()
        if !held.held { planned = try planned.leavingOutHeld(limit) }
        let (plan, workspace) = (planned.plan, planned.workspace)
        if let out { try planned.write(to: out, safety.safety) }
        let diff = { (file: ChangedFile) throws(StoreError) in
            try workspace.store.fileDiff(old: file.old?.id, new: file.new?.id, path: file.path)
        }
        switch format {
        case .text:
            output.write(planJSON(plan, cluster: workspace.cluster), or: planText(workspace, plan, orSay: planned.nothingToDo(limit)))
        case .markdown:
            Terminal.write(try reporting { try PlanMarkdown(cluster: workspace.cluster, time: localTime).render(plan, diff: diff) })
        case .html: Terminal.write(try reporting { try PlanHTML(cluster: workspace.cluster, time: localTime).render(plan, diff: diff) })
        }
        try exit.leave(!plan.isEmpty)
    }

    private func fromTree() throws -> PreparedPlan {
        let workspace = try cluster.workspace()
        try rendering.render(workspace)
        let root = try workspace.importTree()
        return try PreparedPlan(
            workspace: workspace,
            plan: try workspace.plan(
                root, limit.filter, safety: safety.safety, hostKeys: HostKeys(configuration: sshConfig),
                leaves: leaveFiles ? .everything : .nothing),
            root: root)
    }
}

/// The plan for a person; the text `nothing` if there is nothing to do.
func planText(_ workspace: Workspace, _ plan: Plan, orSay nothing: (Workspace, Plan) -> String) -> String {
    if plan.isEmpty { return nothing(workspace, plan) }
    let text = PlanText(style: Terminal.style).render(plan), leftOut = HoldText(time: localTime).leftOut(plan.held)
    return text.isEmpty ? String(leftOut.dropFirst()) : text + leftOut
}

extension PreparedPlan {
    /// The text if there is nothing to do. A plan file does not record which hosts it left out.
    func nothingToDo(_ limit: LimitOption) -> (Workspace, Plan) -> String {
        guard canBeRemade else { return { _, _ in "Nothing to do: no host is in this plan.\n" } }
        return limit.nothingToDo
    }
}

extension LimitOption {
    /// The message when every host matches the config tree.
    func nothingToDo(_ workspace: Workspace, _ plan: Plan) -> String {
        limit.isEmpty
            ? "Nothing to do: every host of cluster '\(workspace.cluster)' matches the config tree.\n"
            : "Nothing to do: \(visible(limit.joined(separator: ","))) in cluster '\(workspace.cluster)' matches the config tree.\n"
    }
}

enum PlanFormat: String, CaseIterable, ExpressibleByArgument {
    case text, markdown, html
}

extension Plan {
    /// Whether there is nothing to do, also on held hosts.
    var isEmpty: Bool { hosts.isEmpty && orphans.isEmpty && held.isEmpty }

    /// Whether it restores drift.
    var isRepair: Bool { hosts.contains { !$0.drift.isEmpty } }
}
