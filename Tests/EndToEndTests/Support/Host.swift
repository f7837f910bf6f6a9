import Foundation

/// A host of the lab, looked at from the inside, without SSH.
struct Host {
    let name: String
    /// Of IPv4, and of IPv6.
    let addresses: [String]
    let lab: String

    var address: String { addresses.first ?? "" }
    var address6: String { addresses.last ?? "" }

    /// Runs a shell script there as root, which must succeed, and returns its output.
    @discardableResult
    func run(_ script: String) throws -> String {
        let output = try attempt(script)
        guard output.code == 0 else { throw Failed(what: "`\(script)` on \(name)", output: output) }
        return output.text
    }

    /// Runs a shell script there as root.
    func attempt(_ script: String) throws -> Output {
        try Program(
            [Tools.lab, "exec", lab, name, "sh", "-c", script], environment: ProcessInfo.processInfo.environment
        ).finish()
    }

    func write(_ path: String, _ content: String) throws {
        try run("mkdir -p \"$(dirname \(path))\"; printf %s '\(content)' >\(path)")
    }

    /// Copies a program of this machine there.
    func copy(_ path: String, to destination: String) throws {
        try Program(
            [
                "sh", "-c", "ssh -F \(lab)/ssh_config \(name) 'cat >\(destination) && chmod 755 \(destination)' <\(path)",
            ], environment: ProcessInfo.processInfo.environment
        ).finish().require(0)
    }

    func read(_ path: String) throws -> String { try run("cat \(path)") }

    /// All below `/var/lib/deptool/apps`, a line each: directories end in `/`, links show their target. The versions are
    /// called v1, v2 and so on, in the order in which they were deployed or tried. No newline at the end.
    func apps() throws -> String {
        let list = try inOrder(
            run(
                #"""
                cd /var/lib/deptool/apps
                find . -mindepth 1 \( -type d -printf '%P/\n' -o -type l -printf '%P -> %l\n' -o -printf '%P\n' \)
                """#))
        return list.split(separator: "\n").sorted().joined(separator: "\n")
    }

    /// The symlinks in /etc that lead to Deptool's directory.
    func links() throws -> String {
        try run("find /etc -type l -lname '/var/lib/deptool/*' -printf '%p -> %l\\n'").replacing("/var/lib/deptool/", with: "")
            .split(separator: "\n").sorted().joined(separator: "\n")
    }

    /// The names in Deptool's directory itself and in its store, without the agent's hash.
    func layout() throws -> String {
        try run("cd /var/lib/deptool && find bin store -printf '%p %m\\n'").split(separator: "\n").sorted().joined(separator: "\n")
            .replacing(/deptool-agent-([0-9.]+)-[0-9a-f]{10}\b/) { "deptool-agent-\($0.output.1)-HASH" }
    }

    private func inOrder(_ text: String) throws -> String {
        var text = text
        var count = 0
        for line in try attempt("cat /var/lib/deptool/store/log").text.split(separator: "\n") {
            count += 1
            text = text.replacing(line.split(separator: " ")[2].prefix(10), with: "v\(count)")
        }
        return text
    }

    /// How each deploy ended, as the host's log has it.
    func outcomes() throws -> [String] {
        try run("cat /var/lib/deptool/store/log").split(separator: "\n").map { String($0.split(separator: " ")[3]) }
    }

    /// Every file, link and directory where deploys leave traces, with mode, owner and content: equal before a deploy and
    /// after its rollback.
    func snapshot() throws -> String {
        try run(
            """
            for place in /etc /opt /srv /root /home /usr/local /var/lib/deptool/apps; do
                [ ! -e $place ] || find $place \\( -type f -printf '%p %m %U:%G %T@\\n' -o -printf '%p %y %m %U:%G %l\\n' \\) \\
                    , -type f -exec sha256sum {} +
            done | LC_ALL=C sort
            """)
    }

    /// Every path, except those that a running system writes all the time.
    func paths() throws -> Set<String> {
        let text = try run("find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /var/log \\) -prune -o -print")
        return Set(text.split(separator: "\n").map(String.init))
    }

    /// `active`, `inactive`, `failed` and so on.
    func state(of unit: String) throws -> String {
        try attempt("systemctl is-active \(unit)").text.trimmingCharacters(in: .newlines)
    }

    /// `enabled`, `disabled`, `not-found` and so on.
    func enablement(of unit: String) throws -> String {
        try attempt("systemctl is-enabled \(unit)").text.trimmingCharacters(in: .newlines)
    }

    /// The present run of a unit, which another start changes.
    func invocation(of unit: String) throws -> String {
        try run("systemctl show --value -p InvocationID \(unit)").trimmingCharacters(in: .newlines)
    }

    /// Processes of the agent, the oldest first, as the host numbers them.
    func agents() throws -> [Int] {
        try attempt("pgrep -f '^/var/lib/deptool/bin/'").text.split(separator: "\n").compactMap { Int($0) }
    }

    /// Kills all at once: one that sees another end would undo the deploy.
    func killAgents() throws {
        let all = try agents().map(String.init).joined(separator: " ")
        try run("kill -STOP \(all); kill -9 \(all)")
    }

    var isLocked: Bool {
        get throws { try attempt("[ ! -e /var/lib/deptool/store/lock ] || flock --nonblock /var/lib/deptool/store/lock true").code != 0 }
    }

    /// Waits until a script succeeds there.
    func wait(for script: String, within limit: Duration = .seconds(300)) throws {
        let output = try Program(
            [
                Tools.lab, "exec", lab, name, "timeout", "\(limit.components.seconds)", "sh", "-c",
                "until \(script); do sleep 0.05; done",
            ], environment: ProcessInfo.processInfo.environment
        ).finish(within: limit + .seconds(10))
        guard output.code == 0 else { throw Failed(what: "waiting on \(name) for `\(script)`", output: output) }
    }

    /// The answer of the name server on the host.
    func dig(_ question: String...) throws -> String {
        try Program(
            ["dig", "+short", "+time=2", "+tries=2", "@\(address)"] + question,
            environment: ProcessInfo.processInfo.environment
        ).finish().text
    }
}
