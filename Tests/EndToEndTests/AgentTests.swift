import Foundation
import Testing

/// The agents as they are built for hosts.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) struct AgentTests {
    /// Those of the tool; only a release has all.
    static let cpus = ["x86_64", "aarch64", "riscv64", "armv7l"].filter { FileManager.default.fileExists(atPath: path($0)) }

    /// As the tool lists them.
    static let listed = cpus.dropLast().joined(separator: ", ") + " and " + cpus[cpus.count - 1]

    static func path(_ cpu: String) -> String {
        URL(filePath: Tools.deptool).deletingLastPathComponent().appending(path: "agents/linux-\(cpu)").path
    }

    @Test func `there is an agent for each usual CPU`() { #expect(Self.cpus.starts(with: ["x86_64", "aarch64"])) }

    @Test(arguments: cpus)
    func `an agent is small and static`(cpu: String) throws {
        let bytes = try Data(contentsOf: URL(filePath: Self.path(cpu)))
        #expect(bytes.count < 400_000)
        #expect(try #require(Executable(bytes)) == Executable(machine: cpu, hasInterpreter: false, hasDynamicSection: false))
    }
}

/// The headers of an ELF file (elf(5)).
private struct Executable: Equatable {
    var machine: String
    var hasInterpreter = false
    var hasDynamicSection = false

    init(machine: String, hasInterpreter: Bool, hasDynamicSection: Bool) {
        self.machine = machine
        self.hasInterpreter = hasInterpreter
        self.hasDynamicSection = hasDynamicSection
    }

    /// Nil unless it is a little-endian one.
    init?(_ bytes: Data) {
        func number(_ offset: Int, _ size: Int) -> Int {
            guard offset + size <= bytes.count else { return 0 }
            return (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
        }
        guard bytes.count > 64, bytes.prefix(4) == Data([0x7f, 0x45, 0x4c, 0x46]), bytes[5] == 1 else { return nil }
        machine = [40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"][number(18, 2)] ?? ""
        let is64Bit = bytes[4] == 2
        let (table, size, count) = is64Bit ? (number(32, 8), number(54, 2), number(56, 2)) : (number(28, 4), number(42, 2), number(44, 2))
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
    /// The agent of another CPU, on a host that reports that CPU, under qemu.
    @Suite final class OtherCPUTests {
        let site: Site

        init() throws { site = try Site() }

        /// Lets the host say that it has this CPU. The lab has the kernel run programs of other CPUs under qemu.
        private func pretend(_ host: Host, _ machine: String) throws {
            try host.write("/usr/local/bin/uname", "#!/bin/sh\necho Linux \(machine)\n")
            try host.run("chmod 755 /usr/local/bin/uname")
        }

        private func name(_ cpu: String) throws -> String {
            "deptool-agent-0.1.0-\(try Program(["sha256sum", AgentTests.path(cpu)], environment: [:]).finish().text.prefix(10))"
        }

        @Test(arguments: AgentTests.cpus.dropFirst())
        func `a host with another CPU is deployed to, rolled back and updated`(cpu: String) throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            cluster.environment["NO_COLOR"] = "1"
            try pretend(host, cpu)

            try cluster.addService("app", on: "web1")
            try cluster.deploy().require(0)
            #expect(try host.state(of: "app") == "active")
            try cluster.addService("app", on: "web1", run: "/bin/false")
            #expect(try cluster.deploy().code == 3)
            #expect(try host.state(of: "app") == "active")
            try cluster.addService("app", on: "web1", run: "/bin/echo again")
            try cluster.deploy().require(0)
            #expect(try host.outcomes() == ["deployed", "rolled-back", "deployed"])
            #expect(try host.run("ls /var/lib/deptool/bin") == name(cpu) + "\n")

            // What an agent for one CPU has written, that for another reads.
            for (machine, agent) in [("x86_64", "x86_64"), (cpu == "armv7l" ? "armv8l" : cpu, cpu)] {
                try pretend(host, machine)
                let doctor = try cluster.deptool("doctor", "web1", "--ssh-config", cluster.sshConfiguration)
                #expect(doctor.text.contains(try Regex("ok +cpu +Linux \(machine)\n")), "\(doctor)")
                #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
                try cluster.addService("app", on: "web1", run: "/bin/echo by \(machine)")
                try cluster.deploy().require(0)
                #expect(try host.run("ls /var/lib/deptool/bin").contains(name(agent)))
            }
            // What it has begun, that for another takes back.
            let before = try host.read("/etc/systemd/system/app.service")
            try cluster.addService("app", on: "web1", before: "/usr/bin/pkill -KILL -f [d]eptool-agent-0")
            try cluster.deploy().require(5)
            #expect(try host.read("/etc/systemd/system/app.service") != before)
            try host.run("rm /var/lib/deptool/bin/\(name(cpu))")
            try pretend(host, "x86_64")
            #expect(try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text == "1 host as deployed.\n")
            #expect(try host.read("/etc/systemd/system/app.service") == before)
            #expect(try host.state(of: "app") == "active")
        }

        @Test(arguments: AgentTests.cpus.dropFirst())
        func `a file larger than 4 GiB is an obstacle on a host with another CPU`(cpu: String) throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            try pretend(host, cpu)
            try cluster.write("web1/app/file", "one\n")
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.link": "file"}, "copies": {"/etc/app.copy": "file"}}"#)
            try cluster.deploy().require(0)
            try cluster.write("web1/app/file", "two\n")
            // The last 32 bits of its size are those of the file's.
            try host.run("truncate -s $((5 << 32 | 4)) /etc/app.copy")
            let output = try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration)
            #expect(output.text.contains("/etc/app.copy"), "\(output)")
            try cluster.deploy().require(1)
            #expect(try host.run("stat -c %s /etc/app.copy") == "\(5 << 32 | 4)\n")
            try host.run("printf 'one\\n' > /etc/app.copy")
            try cluster.deploy().require(0)
            #expect(try host.read("/etc/app.copy") == "two\n")
        }

        @Test func `a CPU without an agent is reported`() throws {
            let host = try site.boot()
            let cluster = try Cluster(site)
            try pretend(host, "s390x")
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
