import Deployment
import Model
import SSH

/// The doctor's findings in words.
extension Diagnosis {
    /// The findings about one host.
    package static func about(_ host: Hostname, _ steps: [Doctor.Observation]) -> [Diagnosis] {
        steps.flatMap { step in
            of(step, host).map { finding in
                var finding = finding
                finding.host = host
                return finding
            }
        }
    }

    private static func of(_ step: Doctor.Observation, _ host: Hostname) -> [Diagnosis] {
        switch step {
        case .settings(let user, let endpoint, let reason):
            return [
                Diagnosis(
                    "ssh settings", .ok, visible("\(user)@\(endpoint)" + (reason.map { ", over the system's ssh: \($0.phrase)" } ?? "")))
            ]
        case .login: return ways.map { Diagnosis($0, .ok, "works") }
        case .noise(let text):
            guard !text.isEmpty else { return [Diagnosis("shell", .ok, "the login prints nothing of its own")] }
            return [
                Diagnosis(
                    "shell", .warn, "the login prints \(text.utf8.count) bytes before the command runs",
                    help: "Deptool skips it; rsync and scp do not. Let .bashrc print nothing unless `$-` has an i. It begins with:\n"
                        + quoted(String(text.split(separator: "\n").first?.prefix(200) ?? "")))
            ]
        case .cpu(let cpu, true): return [Diagnosis("cpu", .ok, visible(cpu))]
        case .cpu(let cpu, false): return [failure("cpu", .unknownCPU(cpu, carried: Doctor.carriedCPUs), host)]
        case .hostname(let name, let expected?) where name != expected:
            return [failure("hostname", .wrongHostname(expected: expected, found: name), host)]
        case .hostname(let name, _): return [Diagnosis("hostname", .ok, visible(name))]
        case .space(nil): return [Diagnosis("space", .warn, "df does not report the free space in /var/lib/deptool")]
        case .space(let bytes?):
            let text = "\(size(bytes)) left in /var/lib/deptool"
            let help = "Make room in /var: each app is there twice, as it is and as it was before."
            return [
                Diagnosis("space", bytes < 4 << 20 ? .fail : bytes < 100 << 20 ? .warn : .ok, text, help: bytes < 100 << 20 ? help : nil)
            ]
        case .options(let options):
            if options.contains("noexec") { return [failure("mount", .bootstrap(stage: "noexec", printed: []), host)] }
            if options.contains("ro") {
                return [
                    Diagnosis(
                        "mount", .fail, "/var/lib/deptool is on a read-only file system", help: "Mount it so that root can write there.")
                ]
            }
            return [Diagnosis("mount", .ok, "programs can be put into /var/lib/deptool and run")]
        case .programs(let missing) where !missing.isEmpty:
            return [
                Diagnosis(
                    "programs", .fail, "there is no \(visible(missing.joined(separator: ", no ")))",
                    help: "Installing the agent needs a shell and coreutils, or busybox.")
            ]
        case .programs: return [Diagnosis("programs", .ok, "the shell and coreutils are there")]
        case .systemd(let version?, _): return [Diagnosis("systemd", .ok, visible(version))]
        case .systemd(nil, let isNeeded):
            return [
                Diagnosis(
                    "systemd", isNeeded ? .fail : .warn, "systemd does not run there",
                    help: "Files and links can be deployed without it, units cannot.")
            ]
        case .boot(mount: "/", _): return [Diagnosis("boot", .ok, "/var/lib/deptool is available from the start of the boot")]
        case .boot(let mount, let links):
            guard let first = links.first else {
                return [Diagnosis("boot", .ok, "\(visible(mount)) is mounted during the boot; placed files are available before")]
            }
            return [
                Diagnosis(
                    "boot", .warn,
                    "\(visible(mount)) is mounted during the boot, and \(visible(first.text)) is read before"
                        + (links.count == 1 ? "" : ", as \(count(links.count - 1, "other symlink"))"),
                    help: "Its symlink dangles until then. List it under 'copies' in the manifest instead of 'symlinks'.")
            ]
        case .quadlets(_, isNeeded: false): return []
        case .quadlets(true, _): return [Diagnosis("quadlets", .ok, "Podman's generator is there")]
        case .quadlets(false, _):
            return [
                Diagnosis(
                    "quadlets", .fail, "Podman's generator of units is not there, and the config tree has quadlets for the host",
                    help:
                        "Install Podman 4.4 or later. Where /usr/lib/systemd/system-generators has no podman-system-generator, quadlets do nothing."
                )
            ]
        case .requirements(nil): return []
        case .requirements([]?): return [Diagnosis("requires", .ok, "everything that the apps require is there")]
        case .requirements(let lacks?):
            return lacks.map {
                Diagnosis("requires", .fail, visible($0), help: "Install it on the host, or correct 'requires' in the app's manifest.")
            }
        case .failed(let error): return stopped(error, host)
        }
    }

    /// The stages of a connection, in order.
    private static let ways = ["name", "port", "ssh server", "host key", "login", "root"]

    /// The stages that worked, and the one that failed.
    private static func stopped(_ error: HostError, _ host: Hostname) -> [Diagnosis] {
        let place = error.way
        let passed = place.flatMap(ways.firstIndex).map { ways[..<$0] } ?? []
        return passed.map { Diagnosis($0, .ok, "works") } + [failure(place ?? "connection", error, host)]
    }

    private static func failure(_ check: String, _ error: HostError, _ host: Hostname) -> Diagnosis {
        Diagnosis(check, .fail, error.phrase, help: error.explanation(host))
    }
}

extension HostError {
    /// The stage that failed, as far as known.
    fileprivate var way: String? {
        switch self {
        case .ssh(let error): error.way
        case .sudo, .noAgentSpoke: "root"
        default: nil
        }
    }
}

extension SSHError {
    fileprivate var way: String? {
        switch self {
        case .sshNotFound, .configurationRefused, .settingInvalid: "ssh settings"
        case .unknownName, .resolverSilent, .timedOut(.resolving): "name"
        case .refused, .unreachable, .timedOut(.connecting), .proxyFailed: "port"
        case .closedEarly, .noCommonAlgorithm, .timedOut(.handshake), .connectionLost(.handshake): "ssh server"
        case .hostKeyUnknown, .hostKeyDeclined, .hostKeyChanged, .hostKeyRevoked, .knownHostsUnusable: "host key"
        case .loginFailed, .timedOut(.login), .timedOut(.askingAgent), .connectionLost(.login): "login"
        case .commandRefused, .timedOut(.starting), .timedOut(.transferring), .connectionLost(.transferring): "root"
        default: nil
        }
    }
}

/// Renders findings by host, one per line with its remedy below.
package struct DoctorText {
    private let style: Style

    package init(style: Style) { self.style = style }

    package func render(_ findings: [Diagnosis]) -> String {
        var text = ""
        let width = findings.map(\.check.count).max() ?? 0
        for (index, finding) in findings.enumerated() {
            if index == 0 || findings[index - 1].host != finding.host {
                text += (index == 0 ? "" : "\n") + style.heading(finding.host?.text ?? "this machine") + "\n"
            }
            let check = finding.check + String(repeating: " ", count: width - finding.check.count)
            text += "  \(word(finding.verdict))  \(check)  \(finding.message)\n"
            for line in (finding.help ?? "").split(separator: "\n") { text += "        \(line)\n" }
        }
        let (failures, warnings) = (findings.count { $0.verdict == .fail }, findings.count { $0.verdict == .warn })
        return text + "\n"
            + (failures + warnings == 0 ? "All is well.\n" : "\(count(failures, "failure")), \(count(warnings, "warning")).\n")
    }

    private func word(_ verdict: Diagnosis.Verdict) -> String {
        switch verdict {
        case .ok: style.added("ok  ")
        case .warn: style.changed("warn")
        case .fail: style.bad("fail")
        }
    }
}
