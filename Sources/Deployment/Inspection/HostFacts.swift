import Model
import Planning
import SSH

/// A read-only look at a host as root, through any login shell.
///
/// Like ``Bootstrap``, the script contains no single quote, backslash or `!`.
struct HostFacts {
    private static let begin = "DEPTOOL-PROBE-BEGIN"
    private static let end = "DEPTOOL-PROBE-END"

    static func script(_ requirements: [(app: AppName, needed: [Requirement])]) -> String {
        ([
            "echo; echo \(begin)",
            "for d in \(Layout.root.text) /var/lib /var /; do if [ -e $d ]; then break; fi; done",
            #"echo "cpu $(uname -sm)""#,
            #"read -r name </etc/hostname || name=$(uname -n); echo "hostname $name""#,
            #"echo "space $(df -Pk "$d" 2>/dev/null | tail -n 1)""#,
            #"mount=$(df -Pk "$d" 2>/dev/null | tail -n 1); mount=${mount##* }"#,
            #"while read -r a b c o e; do [ "$b" = "$mount" ] && echo "options $o"; done </proc/mounts"#,
            #"while read -r a b c d p o; do case \#(Layout.root.text)/ in "${p%/}"/*) echo "mount $p";; esac; done </proc/self/mountinfo"#,
            #"[ -d /run/systemd/system ] && echo "systemd $(systemctl --version 2>/dev/null | head -n 1)""#,
            #"for f in /usr/lib /lib /usr/local/lib /etc /run; do [ -x $f/systemd/system-generators/podman-system-generator ] && echo quadlets yes; done"#,
            #"for p in dd sha256sum mkdir mv chmod rm; do command -v $p >/dev/null || echo "missing $p"; done"#,
        ]
            + requirements.map { app, needed in
                #"(\#(Requirement.shellCommand(needed))) | while read -r l; do echo "lacks \#(app.text): $l"; done"#
            } + ["echo \(end)"])
            .joined(separator: "; ")
    }

    /// Output of the login before the script, without its last newline.
    private(set) var noise = ""
    var cpu = ""
    var hostname = ""
    /// Free bytes on the file system of Deptool's directory, or of its future location.
    var available: UInt64?
    /// Mount options of that file system.
    var options: [String] = []
    /// The mount points at or above Deptool's directory, in mount order.
    var mounts: [String] = []
    /// Nil if systemd is not the running init.
    var systemd: String?
    var hasQuadlets = false
    var missing: [String] = []
    /// Requirements of apps that the host does not meet.
    var lacks: [String] = []

    /// Nil if the output is incomplete.
    init?(_ printed: [UInt8]) {
        let text = String(decoding: printed.prefix(256 << 10), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(of: Self.begin[...]), let stop = lines.lastIndex(of: Self.end[...]), start < stop else {
            return nil
        }
        noise = lines[..<start].joined(separator: "\n").trimmingNewlines
        for line in lines[start + 1..<stop] {
            guard let space = line.firstIndex(of: " ") else { continue }
            let value = String(line[line.index(after: space)...].prefix(500))
            switch line[..<space] {
            case "cpu": cpu = value
            case "hostname": hostname = value
            case "space":
                let columns = value.split(separator: " ")
                if columns.count >= 6, let blocks = UInt64(columns[3]), blocks < 1 << 50 { available = blocks << 10 }
            // The last mount at a mount point is on top.
            case "options": options = value.split(separator: ",").map(String.init)
            case "mount": mounts.append(value)
            case "systemd": systemd = value
            case "quadlets": hasQuadlets = true
            case "missing": missing.append(value)
            case "lacks": lacks.append(value)
            default: break
            }
        }
    }
}

extension String {
    fileprivate var trimmingNewlines: String {
        var text = self[...]
        while text.last?.isNewline == true { text = text.dropLast() }
        return String(text)
    }
}
