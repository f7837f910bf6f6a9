import Foundation
import Testing

extension EndToEnd {
    /// `ci/deptool-ci`, which jobs of a forge run.
    @Suite struct PipelineTests {
        @Test func `jobs plan, check, deploy exactly that plan, and find drift`() throws {
            let site = try Site()
            let host = try site.boot("web1")
            let cluster = try Cluster(site)
            try cluster.write(outside: "ssh_config", "Host web1\n    HostName \(host.address)\n    User root\n")
            let setting = """
                mkdir -p bin tmp && ln -sf \(Tools.deptool) bin/deptool
                export TMPDIR="$PWD/tmp" PATH="$PWD/bin:$PATH" DEPTOOL_SSH_CONFIG=ssh_config
                export DEPTOOL_KEY="$(cat \(site.lab)/key)" DEPTOOL_KNOWN_HOSTS="$(cat \(site.lab)/known_hosts)"

                """
            func job(_ task: String) throws -> Output {
                try cluster.startScript(setting + "exec \(Cluster.examples)/../ci/deptool-ci \(task)").finish(within: .seconds(120))
            }

            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app": "conf"}, "checks": [["/bin/grep", "well", "conf"]]}"#)
            try cluster.write("web1/app/conf", "well\n")
            try job("plan prod").require(0)
            #expect(try cluster.run("cat deptool-plan.md").contains("+well\n"))
            try job("check prod").require(0)
            try cluster.write("web1/app/conf", "well, and later\n")
            // The approved plan is out of date.
            try job("deploy prod").require(1)
            try cluster.write("web1/app/conf", "well\n")
            try job("deploy prod").require(0)
            #expect(try host.read("/etc/app") == "well\n")
            try job("verify prod").require(0)

            try cluster.write("web1/app/conf", "well again\n")
            #expect(try job("verify prod").require(1).errors.hasSuffix("a change of the config tree was never deployed\n"))
            try job("plan prod").require(0)
            try job("deploy prod").require(0)
            // The plan's host runs something else by now.
            try job("deploy prod").require(1)
            // Cancelling a job signals only its shell. The host rolls back.
            try cluster.write("web1/app/conf", "well, too\n")
            try cluster.addService("slow", on: "web1", run: "/bin/sleep 1000")
            try job("plan prod").require(0)
            let cancelled = try cluster.startScript(setting + "exec \(Cluster.examples)/../ci/deptool-ci deploy prod")
            try cancelled.expect("web1: starting slow.service")
            cancelled.signal(SIGTERM)
            try cancelled.finish(within: .seconds(120)).require(3)
            #expect(try host.read("/etc/app") == "well again\n")
            try cluster.remove("web1/slow")
            try host.run("rm /etc/app")
            try job("verify prod").require(1)

            // An invalid key, another host's key, and an unknown task.
            #expect(try cluster.startScript(setting + "DEPTOOL_KEY=x \(Cluster.examples)/../ci/deptool-ci plan prod").finish().code != 0)
            let other = setting.replacing("$(cat \(site.lab)/known_hosts)", with: "\(host.address) ssh-ed25519 AAAA")
            #expect(try cluster.startScript(other + "\(Cluster.examples)/../ci/deptool-ci plan prod").finish().code != 0)
            try job("undo prod").require(64)
            // No file and no process of theirs is left.
            #expect(try cluster.run("ls -A tmp; grep -l \"TMPDIR=$PWD/tmp\" /proc/[0-9]*/environ 2>/dev/null || true") == "")
        }
    }
}
