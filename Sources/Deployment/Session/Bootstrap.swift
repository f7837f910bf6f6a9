import CAgents
import Model

/// The command that a login runs: it starts the agent, installing it first if necessary, in a single command.
///
/// It has to pass through any login shell (sh, bash, dash, zsh, fish, busybox), so the outer command consists only of
/// words in single quotes, and the script itself contains no single quote, backslash or `!`.
struct Bootstrap {
    let agents: [BundledAgent]
    /// sudo's password prompt on standard error: random, so nothing else prints it.
    let passwordPrompt = "DEPTOOL-PASSWORD-\(UInt64.random(in: 0 ... .max))"

    /// Prefixes of the script's messages to the client.
    static let need = "DEPTOOL-NEED "
    static let failed = "DEPTOOL-FAILED "

    /// Root needs no sudo. sudo reads the password, if it wants one, from the stream, byte by byte up to the end of
    /// the line.
    var command: String { asRoot(script) }

    /// The command that runs a script as root. The script obeys the same rules.
    func asRoot(_ script: String) -> String {
        #"sh -c 'if [ "$(id -u)" = 0 ]; then exec sh -c "$0"; fi; LC_ALL=C exec sudo -S -p \#(passwordPrompt) sh -c "$0"' '\#(script)'"#
    }

    /// Runs an agent only if its hash is right and only our user can change it. An upload goes to a temporary name
    /// and is renamed only once its hash is right, so a cut connection never leaves a file there that would be run.
    /// If the write fails, df reports the free kilobytes and inodes (no inodes on file systems that allocate them on
    /// demand, like btrfs). A small script under the temporary name first shows whether files there can be executed.
    /// `dd` reads exactly the agent from the stream and leaves the rest to the agent itself. Nothing is written
    /// before the client has answered with a line.
    private var script: String {
        let cases = agents.map { agent in
            let machines = agent.machines.map { "\"\($0)\"" }.joined(separator: "|")
            return "\(machines)) c=\(agent.cpu) n=\(agent.name) s=\(unsafe agent.bytes.count) h=\(agent.sha256);;"
        }
        return [
            #"case "$(uname -sm)" in \#(cases.joined(separator: " ")) *) echo "\#(Self.failed)cpu $(uname -sm)"; exit 1;; esac"#,
            "d=\(Layout.agents.text) a=$d/$n t=$d/new.$$",
            #"[ -O $d ] && [ -x $a ] && [ "$(sha256sum <$a)" = "$h  -" ] && exec $a"#,
            "umask 022",
            #"echo "\#(Self.need)$c""#,
            "read -r go || exit 1",
            #"n() { df -P$1 $d 2>/dev/null | { read -r l; read -r l b l n l; [ "$b" = 0 ] || echo $n; }; }"#,
            #"f() { rm -f $t; echo "\#(Self.failed)$1"; exit 1; }"#,
            "mkdir -p $d || f mkdir",
            "{ [ -O $d ] && chmod 755 $d; } || f owner",
            #"w() { rm -f $t; f "write $(n k) $(n i)"; }"#,
            "{ echo exit >$t && chmod 755 $t; } || w",
            "$t </dev/null || f noexec",
            #"e=$(dd of=$t bs=$s count=1 iflag=fullblock conv=fsync 2>&1) || { echo "$e" >&2; w; }"#,
            #"[ "$(sha256sum <$t)" = "$h  -" ] || f hash"#,
            "mv $t $a || f mv",
            "exec $a",
        ].joined(separator: "; ")
    }
}
