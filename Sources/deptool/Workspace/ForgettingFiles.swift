import ArgumentParser
import Deployment
import Display
import Model
import Planning

extension DeployRun {
    /// Removes the app that placed files where links and copies went: the files stay.
    ///
    /// Where the deploy failed, nothing was left. On the other hosts, Deptool should not hold on to the files.
    func forgetFiles(_ ready: PreparedPlan) async throws {
        let hosts = Set(ready.plan.hosts.filter { $0.wanted.apps.contains(where: \.isOfLeftFiles) }.map(\.host))
        let workspace = ready.workspace
        func forgettingPlan() throws -> PreparedPlan {
            try workspace.reporting {
                let (plan, root) = try ClusterReader(workspace.store).forgettingPlan(hosts, cluster: workspace.cluster, isRemoval: forgets)
                return try PreparedPlan(workspace: workspace, plan: plan, root: root)
            }
        }
        guard try !hosts.isEmpty && !forgettingPlan().plan.hosts.isEmpty else { return }
        if !isJSON { Terminal.write("\nDeptool forgets the files that it left:\n\n") }
        var forgetting = self
        forgetting.kind = .leave
        // The deploy that changed something was confirmed.
        forgetting.asks = false
        forgetting.confirmWith = ""
        do {
            try await forgetting.run { try forgettingPlan() }
        } catch let code as ExitCode where code.isSuccess {
            return
        } catch {
            Terminal.writeError("The files were left. The next deploy of these hosts forgets them.\n")
            throw error
        }
    }
}
