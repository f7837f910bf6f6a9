import Foundation
import Testing

/// The agents as they are built for hosts.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) struct AgentTests {
    /// Those of the tool; only a release has that for riscv64.
    static let cpus = ["x86_64", "aarch64", "riscv64"].filter { FileManager.default.fileExists(atPath: path($0)) }

    /// As the tool lists them.
    static let listed = cpus.count < 3 ? "x86_64 and aarch64" : "x86_64, aarch64 and riscv64"

    static func path(_ cpu: String) -> String {
        URL(filePath: Tools.deptool).deletingLastPathComponent().appending(path: "agents/linux-\(cpu)").path
    }

    @Test func `those for the usual CPUs are there`() { #expect(Self.cpus.starts(with: ["x86_64", "aarch64"])) }

    @Test(arguments: cpus)
    func `an agent is small, and needs nothing of its host`(cpu: String) throws {
        let bytes = try Data(contentsOf: URL(filePath: Self.path(cpu)))
        #expect(bytes.count < 400_000)
        #expect(try #require(Executable(bytes)) == Executable(machine: cpu, hasInterpreter: false, hasDynamicSection: false))
    }
}

/// What an ELF file's headers say (elf(5)).
private struct Executable: Equatable {
    var machine: String
    var hasInterpreter = false
    var hasDynamicSection = false

    init(machine: String, hasInterpreter: Bool, hasDynamicSection: Bool) {
        self.machine = machine
        self.hasInterpreter = hasInterpreter
        self.hasDynamicSection = hasDynamicSection
    }

    /// Nil unless it is a little-endian 64-bit one.
    init?(_ bytes: Data) {
        func number(_ offset: Int, _ size: Int) -> Int {
            guard offset + size <= bytes.count else { return 0 }
            return (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
        }
        guard bytes.count > 64, bytes.prefix(6) == Data([0x7f, 0x45, 0x4c, 0x46, 2, 1]) else { return nil }
        machine = [62: "x86_64", 183: "aarch64", 243: "riscv64"][number(18, 2)] ?? ""
        let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2))
        for index in 0..<count {
            switch number(table + index * size, 4) {
            case 2: hasDynamicSection = true
            case 3: hasInterpreter = true
            default: break
            }
        }
    }
}

extension EndToEnd {
    /// The agent of another CPU, on a host that says to have it, under qemu.
    @Suite final class OtherCPUTests {
        let site: Site

        init() throws { site = try Site() }

        @Test(arguments: AgentTests.cpus.dropFirst())
        func `a host with another CPU is deployed to, rolled back and updated`(cpu: String) throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            let sum = try Program(["sha256sum", AgentTests.path(cpu)], environment: cluster.environment).finish().text
            let name = "deptool-agent-0.1.0-\(sum.prefix(10))"
            // The lab has the kernel run programs of other CPUs under qemu.
            try host.write("/usr/local/bin/uname", "#!/bin/sh\necho Linux \(cpu)\n")
            try host.run("chmod 755 /usr/local/bin/uname")

            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
            try cluster.addService("app", on: "web1", run: "/bin/false")
            #expect(try cluster.deploy().code == 3)
            #expect(try host.state(of: "app") == "active")
            try cluster.addService("app", on: "web1", run: "/bin/echo again")
            try cluster.deploy().require(0)
            #expect(try host.outcomes() == ["deployed", "rolled-back", "deployed"])
            #expect(try host.run("ls /var/lib/deptool/bin") == name + "\n")
        }

        @Test func `a host with a CPU that there is no agent for is told so`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            try host.write("/usr/local/bin/uname", "#!/bin/sh\necho Linux s390x\n")
            try host.run("chmod 755 /usr/local/bin/uname")
            try cluster.addService("app", on: "web1")
            let output = try cluster.deploy()
            #expect(output.code == 1)
            #expect(
                output.stable.hasSuffix(
                    """

                      web1: no agent for Linux s390x

                    web1: Deptool has agents for Linux on \(AgentTests.listed).

                    Nothing was changed.

                    """), "\(output)")
            #expect(try host.attempt("test -e /var/lib/deptool").code == 1)
        }
    }
}
