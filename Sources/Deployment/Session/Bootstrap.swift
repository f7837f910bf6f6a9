import CAgents
import Model

/// What a login runs: the agent if it is there, else what puts it there and then runs it, all in one command.
///
/// It has to pass through whatever shell the login has (sh, bash, dash, zsh, fish, busybox), so the outer command is
/// nothing but words in single quotes, and the script itself contains no single quote, backslash or `!`.
struct Bootstrap {
    let agents: [BundledAgent]
    /// What sudo writes to standard error when it wants a password: nobody else's words.
    let passwordPrompt = "DEPTOOL-PASSWORD-\(UInt64.random(in: 0 ... .max))"

    /// In front of what the script says to the client.
    static let need = "DEPTOOL-NEED "
    static let failed = "DEPTOOL-FAILED "

    /// Root needs no sudo. sudo reads a password, if it wants one, from the stream, byte by byte up to the end of the line.
    var command: String { asRoot(script) }

    /// What runs a script, which obeys the same rules, as root.
    func asRoot(_ script: String) -> String {
        #"sh -c 'if [ "$(id -u)" = 0 ]; then exec sh -c "$0"; fi; LC_ALL=C exec sudo -S -p \#(passwordPrompt) sh -c "$0"' '\#(script)'"#
    }

    /// An agent is run only if its hash is right and nobody but us can change it. An upload goes to a name of its own; only when its hash is right does it get the final one, so that a cut
    /// connection never leaves something there that would be run. When it cannot be written, df says how many kilobytes and inodes
    /// are left (of none at all where the file system makes them as it needs them, like btrfs). A small script by that name shows first whether anything
    /// can be run there. `dd` reads exactly the agent from the stream and leaves what follows to the agent itself. Nothing
    /// is written before the client has answered with a line.
    private var script: String {
        let cases = agents.map { #""Linux \#($0.cpu)") c=\#($0.cpu) n=\#($0.name) s=\#($0.bytes.count) h=\#($0.sha256);;"# }
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
