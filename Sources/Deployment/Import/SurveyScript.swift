import Model
import Planning

/// What runs on a host that is looked at. It needs a shell, find, stat, head, ls and readlink, and uses dpkg-query, md5sum, sed and
/// systemctl where they are. It writes nothing there.
///
/// Each piece of output begins with a random key, so that no name and no content on the host looks like one.
struct SurveyScript {
    let key: String

    /// Obeys the rules of ``Bootstrap``; then takes scripts, one a line, that need not.
    static let listener = "echo; echo \(begin); while read -r line; do eval \"$line\" </dev/null; done"
    static let begin = "DEPTOOL-SURVEY"

    /// Looks at everything below the paths, and at what packages and systemd say.
    func survey(_ paths: [AbsolutePath]) -> String {
        let roots = paths.map { Self.quoted($0.text) }.joined(separator: " ")
        let pruned = Self.pruned.map { "-path \(Self.quoted($0))" }.joined(separator: " -o ")
        let find = #"find \#(roots) -xdev \( \#(pruned) \) -prune -o"#
        let above = Set(paths.flatMap(\.ancestors)).sorted().map { Self.quoted($0.text) }.joined(separator: " ") + " /"
        return [
            "K=\(key)",
            #"for p in find stat head ls readlink; do command -v $p >/dev/null || echo "$K missing $p"; done"#,
            #"read -r n </etc/hostname || n=$(uname -n); echo "$K hostname"; echo "$n""#,
            #"stat -c "$K directory %f %s %U %G %n" \#(above) 2>/dev/null"#,
            #"\#(find) -type d -exec stat -c "$K directory %f %s %U %G %n" {} + 2>/dev/null"#,
            #"\#(find) -type d -o -exec stat -c "$K file %f %s %U %G %n" {} + 2>/dev/null"#,
            // The script's own arguments are the key and the names.
            #"\#(find) -type l -exec sh -c \#(Self.quoted(Self.symlinks)) $K {} + 2>/dev/null"#,
            #"find \#(Self.unitPlaces) -xdev \( \#(pruned) \) -prune -o ! -type d -exec sh -c \#(Self.quoted(Self.environment)) $K {} + 2>/dev/null"#,
            #"if command -v dpkg-query >/dev/null; then \#(Self.packages); fi"#,
            #"if [ -d /run/systemd/system ]; then \#(Self.units); fi"#,
            #"echo "$K mounts"; cat /proc/self/mountinfo 2>/dev/null"#,
            #"echo "$K programs"; for p in \#(KnownProgram.programs.map(Self.quoted).joined(separator: " ")); do [ ! -x "$p" ] || echo "$p"; done"#,
            #"echo "$K end""#,
        ].joined(separator: "; ")
    }

    private static let symlinks =
        #"for f do printf "%s link %s\n" "$0" "$f"; printf "%s target " "$0"; t=$(readlink -f "$f"); echo "$t"; stat -L -c "$0 to %f %s %U %G" "$f"; while [ -n "${t%/*}" ]; do t=${t%/*}; stat -c "$0 directory %f %s %U %G %n" "$t"; done; done"#

    private static let unitPlaces = [Layout.unitLinks, Layout.quadlets].map { quoted($0.text) }.joined(separator: " ")
    /// Without sed, nothing is known of this.
    private static let environment =
        #"for f do sed -n "s/^[[:space:]]*EnvironmentFile=[[:space:]]*-*//p" "$f" | while read -r v; do printf "%s environment %s\n%s\n" "$0" "$f" "$v"; done; done"#

    private static let packages = [
        #"dpkg-query -W -f "$K package \${Package}\n\${db-fsys:Files}" | grep -a -e "^$K" -e "^ /etc/" -e "/systemd/system/[^/]*$""#,
        #"dpkg-query -W -f "$K conffiles \${Package}\n\${Conffiles}\n""#,
        #"echo "$K sums"; find /etc -xdev -type f -size -8193k -exec md5sum {} + 2>/dev/null"#,
        #"echo "$K pristine"; md5sum /usr/share/base-files/* /usr/share/libc-bin/* 2>/dev/null; cat /var/lib/ucf/hashfile 2>/dev/null"#,
        #"echo "$K registry"; cat /var/lib/ucf/registry 2>/dev/null"#,
    ].joined(separator: "; ")

    private static let units = [
        #"echo "$K unitfiles"; systemctl list-unit-files --no-legend --no-pager --plain --full"#,
        // Of templates, it lists no instances.
        #"for f in /etc/systemd/system/*.wants/*@*; do echo "${f##*/} enabled"; done"#,
        #"echo "$K units"; systemctl list-units --all --no-legend --no-pager --plain --full"#,
    ].joined(separator: "; ")

    private static let pruned = ["/etc/alternatives", "/etc/ssl/certs", "*/.git", "/etc/rc[0-6S].d", "*.wants", "*.requires"]

    /// Prints each file, up to a byte more than the largest may have.
    func contents(_ paths: [AbsolutePath]) -> String {
        let names = paths.map { Self.quoted($0.text) }.joined(separator: " ")
        return [
            #"K=\#(key); for f in \#(names); do echo "$K content""#,
            // The eleventh character is a plus if there is an access control list.
            #"case "$(ls -ldL "$f")" in ??????????+*) echo "$K acl"; continue;; esac"#,
            #"head -c \#(ImportLimits.file + 1) "$f" 2>/dev/null && { echo; echo "$K whole"; } || { echo; echo "$K unreadable"; }; done"#,
            #"echo "$K end""#,
        ].joined(separator: "; ")
    }

    /// One word of a shell. Paths have no newlines.
    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: #"'\''"#) + "'" }
}
