import Foundation
import Testing

extension EndToEnd {
    /// Files that do not fit into what the tool may take of the operator's memory.
    @Suite final class LargeFileTests: OneHost {
        @Test(arguments: ["libssh2", "openssh"])
        func `a large file passes through little memory`(transport: String) throws {
            let file = "\(cluster.directory)/prod/web1/app/artifact"
            try cluster.write("web1/app/setting", "1\n")
            try cluster.run("head -c 400000000 /dev/urandom >\(file)")
            let deploy = try cluster.start(
                "deploy", "--no-confirm", "--transport", transport, "--ssh-config", cluster.sshConfiguration)
            try deploy.finish(within: .seconds(300)).require(0)
            #expect(deploy.peakMemory < 200_000, "\(deploy.peakMemory) kB")
            let sum = try cluster.run("sha256sum <\(file)")
            #expect(try host.run("sha256sum </var/lib/deptool/apps/app/current/artifact") == sum)
        }
    }
}
