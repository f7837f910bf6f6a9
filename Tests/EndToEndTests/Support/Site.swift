import Foundation
import Glibc
import Testing

/// A place for one test: a temporary directory, with a lab of hosts and the operators' own directories in it.
///
/// It goes away with this object. If the test process dies first, however that happens, a keeper takes it down: a shell
/// that waits for the end of a pipe whose other end only this process has.
final class Site {
    let directory: String
    private let keeper: Keeper

    /// With `onDisk`, all that its hosts and operators write is on a disk of its own, which `traces(_:)` searches.
    init(onDisk: Bool = false) throws {
        _ = Self.survivesPipes
        // The lab takes no path with other characters than those.
        var template = Array("\(Self.temporary)/deptool-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(.ENOENT) }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        keeper = try Keeper(directory)
        if onDisk {
            try shell(
                """
                truncate -s 1G '\(disk)'
                mkfs.ext4 -q -E "root_owner=$(id -u):$(id -g)" '\(disk)'
                \(Keeper.root)
                root mount -o loop '\(disk)' '\(directory)'
                """)
        }
    }

    /// A test's proxy may write to a closed connection. A handler, since programs would inherit an ignored signal.
    private static let survivesPipes: Void = { signal(SIGPIPE) { _ in } }()

    private var disk: String { directory + ".disk" }

    static let hasDisks = access("/dev/loop-control", F_OK) == 0

    /// Those of the texts that are anywhere on the disk of this site, including removed files.
    func traces(_ texts: [String]) throws -> Set<String> {
        let patterns = texts.map { "-e '\($0)'" }.joined(separator: " ")
        return Set(try shell("sync -f '\(directory)'; grep -aoF \(patterns) '\(disk)' || true").split(separator: "\n").map(String.init))
    }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        try Program(["sh", "-euc", script], environment: ProcessInfo.processInfo.environment).finish(within: .seconds(300)).require(0).text
    }

    deinit {
        keeper.end()
        let complaint = try? String(contentsOfFile: "\(directory)/teardown", encoding: .utf8)
        if FileManager.default.fileExists(atPath: directory) {
            Issue.record("the site \(directory) did not go: \(complaint ?? "")")
        }
    }

    static let temporary = "/tmp"

    /// The system of a host.
    enum Flavour: String, CustomTestStringConvertible {
        case debian12 = "Debian 12"
        case debian13 = "Debian 13"
        case readonly = "systemd, bash and coreutils, a read-only /usr"
        case separateVar = "Debian 12 with /var on a mount of its own"
        case separateVar13 = "Debian 13 with /var on a mount of its own"
        case busybox = "busybox and dropbear alone"
        case aarch64 = "busybox and dropbear alone, on aarch64"
        case riscv64 = "busybox and dropbear alone, on riscv64"
        case armv7l = "busybox and dropbear alone, on armv7l"
        case services = "Debian 12 with nginx, WireGuard and nftables"
        case programs = "Debian 12 with the programs of the manual's checks"
        case programs13 = "Debian 13 with the programs of the manual's checks"
        case podman = "Debian 13 with Podman"

        var testDescription: String { rawValue }
        /// Two versions of systemd that differ: 252 and 257.
        static let debians = [debian12, debian13]
        var hasSystemd: Bool { ![.busybox, .aarch64, .riscv64, .armv7l].contains(self) }

        var environment: [String: String] {
            switch self {
            case .debian12: [:]
            case .debian13: ["LAB_SUITE": "trixie"]
            case .readonly: ["LAB_FLAVOUR": "readonly"]
            case .separateVar: ["LAB_FLAVOUR": "var"]
            case .separateVar13: ["LAB_FLAVOUR": "var", "LAB_SUITE": "trixie"]
            case .busybox: ["LAB_FLAVOUR": "busybox"]
            case .aarch64: ["LAB_FLAVOUR": "aarch64"]
            case .riscv64: ["LAB_FLAVOUR": "riscv64"]
            case .armv7l: ["LAB_FLAVOUR": "armv7l"]
            case .services: ["LAB_FLAVOUR": "services"]
            case .programs: ["LAB_FLAVOUR": "programs"]
            case .programs13: ["LAB_FLAVOUR": "programs", "LAB_SUITE": "trixie"]
            case .podman: ["LAB_FLAVOUR": "podman"]
            }
        }
    }

    /// Boots a host that nothing was ever deployed to.
    func boot(_ name: String = "web1", _ flavour: Flavour = .debian12) throws -> Host { try boot([name], flavour)[0] }

    /// Boots two at once.
    func boot(_ one: String, _ other: String) throws -> (Host, Host) {
        let hosts = try boot([one, other])
        return (hosts[0], hosts[1])
    }

    /// Boots several at once.
    func boot(_ names: [String], _ flavour: Flavour = .debian12) throws -> [Host] {
        let addresses = try up(names, flavour)
        return names.map { Host(name: $0, addresses: addresses[$0] ?? [], lab: lab) }
    }

    /// Returns the addresses of each host, of IPv4 and of IPv6.
    private func up(_ names: [String], _ flavour: Flavour) throws -> [String: [String]] {
        // The keeper waits for this lock, so that it never takes down a half-built lab.
        let command = ["flock", "--shared", "--close", "\(directory)/booting", Tools.lab, "up", lab] + names
        let environment = ProcessInfo.processInfo.environment.merging(flavour.environment) { $1 }
        let output = try Program(command, environment: environment).finish(within: .seconds(180))
        guard output.code == 0 else { throw Failed(what: "booting \(names)", output: output) }
        let lines = output.text.split(separator: "\n").map { $0.split(separator: " ") }
        return Dictionary(uniqueKeysWithValues: lines.map { (String($0[0]), $0.dropFirst().map(String.init)) })
    }

    /// The lab's directory.
    var lab: String { "\(directory)/lab" }

    /// Runs a command of the lab.
    private func lab(_ command: String, _ host: Host) throws {
        let output = try Program(
            [Tools.lab, command, lab, host.name], environment: ProcessInfo.processInfo.environment
        ).finish()
        guard output.code == 0 else { throw Failed(what: "lab \(command)", output: output) }
    }

    /// Freezes every process of the host; its kernel still answers.
    func pause(_ host: Host) throws { try lab("pause", host) }
    func resume(_ host: Host) throws { try lab("resume", host) }

    /// Pulls the plug.
    func kill(_ host: Host) throws { try lab("kill", host) }

    /// Has the host end its services and power off.
    func powerOff(_ host: Host) throws {
        _ = try host.attempt("systemctl poweroff")
        let script =
            "for i in $(seq 3000); do '\(Tools.lab)' leader '\(lab)' \(host.name) >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1"
        try Program(["sh", "-c", script], environment: ProcessInfo.processInfo.environment).finish(within: .seconds(400)).require(0)
    }

    /// Boots a host again after its plug was pulled.
    func start(_ host: Host) throws { try lab("start", host) }
}

/// A program failed that the test needs.
struct Failed: Error, CustomStringConvertible {
    var what: String
    var output: Output
    var description: String { "\(what): \(output)" }
}

/// The programs under test. `make test` sets both.
enum Tools {
    static let lab = ProcessInfo.processInfo.environment["DEPTOOL_LAB"] ?? ""
    static let deptool = ProcessInfo.processInfo.environment["DEPTOOL"] ?? ""

    /// The results of `make dist`; nil unless `make test-dist` runs.
    static let dist = ProcessInfo.processInfo.environment["DEPTOOL_DIST"]

    /// The tool of an earlier release; nil unless `make compatible` runs.
    static let previous = ProcessInfo.processInfo.environment["DEPTOOL_PREVIOUS"]

    static var hasDeptool: Bool { !deptool.isEmpty }
    static var hasLab: Bool { hasDeptool && !lab.isEmpty }
    static let whyNoLab: Comment = "DEPTOOL and DEPTOOL_LAB are not set; `make test` sets them"
    static let whyNoDeptool: Comment = "DEPTOOL is not set; `make test` sets it"

    /// Marks every program that works in a site, for its keeper.
    static let mark = "DEPTOOL_TEST_SITE"
}

/// Takes a site down, on request or when the process is gone.
private final class Keeper {
    private let pid: pid_t
    private let writing: Int32

    /// A function of the shell.
    static let root = #"root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }"#

    private static let script = """
        \(root)
        trap '' INT TERM HUP
        read -r _
        for file in $(grep -lszxF "\(Tools.mark)=$0" /proc/[0-9]*/environ); do
            pid=${file#/proc/}
            kill -KILL "${pid%/environ}" 2>/dev/null
        done
        if [ -e "$0/lab" ]; then flock "$0/booting" "$1" down "$0/lab" >"$0/teardown" 2>&1 || exit; fi
        if [ -e "$0.disk" ]; then { ! mountpoint -q "$0" || root umount "$0"; } && rm "$0.disk" || exit; fi
        rm -rf --one-file-system "$0"
        """

    init(_ directory: String) throws {
        let pipe = try makePipe()
        writing = pipe.writing
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipe.reading, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        keepDescriptors()
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Not of the test's process group, which a Ctrl-C ends.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let arguments = ["sh", "-c", Self.script, directory, Tools.lab]
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let result = posix_spawnp(&child, "sh", &actions, &attributes, &words, environ)
        close(pipe.reading)
        pid = child
        guard result == 0 else { throw POSIXError(.ENOENT) }
    }

    /// Takes down, and returns when that is done.
    func end() {
        close(writing)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    }
}
