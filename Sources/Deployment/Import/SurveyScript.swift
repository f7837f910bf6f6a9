import Model
import Planning

/// The script that surveys a host. It needs a shell, find, stat, head, ls and readlink, and uses dpkg-query, md5sum, sed and
/// systemctl if present. It writes nothing there.
///
/// Each piece of output begins with a random key, so that no name and no content on the host looks like one. Users of the host
/// can see the arguments of programs, so the key is in none: only the shell prints it.
struct SurveyScript {
    let key: String

    /// Obeys the rules of ``Bootstrap``; then takes scripts, one a line, that need not.
    static let listener = "echo; echo \(begin); while read -r line; do eval \"$line\" </dev/null; done"
    static let begin = "DEPTOOL-SURVEY"

    /// Surveys everything below the paths, packages and units.
    func survey(_ paths: [AbsolutePath]) -> String {
        let roots = paths.map { Self.quoted($0.text) }.joined(separator: " ")
        let pruned = Self.pruned.map { "-path \(Self.quoted($0))" }.joined(separator: " -o ")
        let find = #"find \#(roots) -xdev \( \#(pruned) \) -prune -o"#
        let above = Set(paths.flatMap(\.ancestors)).sorted().map { Self.quoted($0.text) }.joined(separator: " ") + " /"
        return [
            #"K=\#(key); export K; N=$(printf "\nx"); N=${N%x}"#,
            #"for p in find stat head ls readlink; do command -v $p >/dev/null || echo "$K missing $p"; done"#,
            #"read -r n </etc/hostname || n=$(uname -n); echo "$K hostname"; echo "$n""#,
            #"echo "$K directories"; stat -c \#(Self.status) \#(above) 2>/dev/null"#,
            #"\#(find) -type d ! -path "*$N*" -exec stat -c \#(Self.status) {} + 2>/dev/null"#,
            // One a line, so names with a newline are apart.
            #"echo "$K files"; \#(find) -type d -o -path "*$N*" -o -exec stat -c \#(Self.status) {} + 2>/dev/null"#,
            #"\#(find) -type d -o -path "*$N*" -exec sh -c \#(Self.quoted(Self.odd)) sh {} + 2>/dev/null"#,
            #"\#(find) -type l -exec sh -c \#(Self.quoted(Self.symlinks)) sh {} + 2>/dev/null"#,
            #"find \#(Self.unitPlaces) -xdev \( \#(pruned) \) -prune -o ! -type d -exec sh -c \#(Self.quoted(Self.environment)) sh {} + 2>/dev/null"#,
            #"if command -v dpkg-query >/dev/null; then \#(Self.packages); fi"#,
            #"if [ -d /run/systemd/system ]; then \#(Self.units); fi"#,
            #"echo "$K mounts"; cat /proc/self/mountinfo 2>/dev/null"#,
            #"echo "$K programs"; for p in \#(KnownProgram.programs.map(Self.quoted).joined(separator: " ")); do [ ! -x "$p" ] || echo "$p"; done"#,
            #"echo "$K end""#,
        ].joined(separator: "; ")
    }

    private static let status = #""%f %s %U %G %n""#

    private static let odd = #"for f do s=$(stat -c "%f %s %U %G" "$f") && printf "%s file %s %s\n" "$K" "$s" "$f"; done"#

    private static let symlinks = [
        #"for f do printf "%s link %s\n%s target " "$K" "$f" "$K"; t=$(readlink -f "$f"); printf "%s\n" "$t""#,
        #"s=$(stat -L -c "%f %s %U %G" "$f") && printf "%s to %s\n" "$K" "$s""#,
        #"while [ -n "${t%/*}" ]; do t=${t%/*}; s=$(stat -c "%f %s %U %G" "$t") && printf "%s directory %s %s\n" "$K" "$s" "$t"; done; done"#,
    ].joined(separator: "; ")

    private static let unitPlaces = [Layout.unitLinks, Layout.quadlets].map { quoted($0.text) }.joined(separator: " ")
    /// Without sed, this stays unknown.
    private static let environment =
        #"for f do sed -n "s/^[[:space:]]*EnvironmentFile=[[:space:]]*-*//p" "$f" | while read -r v; do printf "%s environment %s\n%s\n" "$K" "$f" "$v"; done; done"#

    /// A package's name begins its line, and its files follow, each behind a space.
    private static let packages = [
        #"echo "$K packages"; dpkg-query -W -f "\${Package}\n\${db-fsys:Files}" | grep -a -e "^[^ ]" -e "^ /etc/" -e "/systemd/system/[^/]*$""#,
        #"echo "$K conffiles"; dpkg-query -W -f "\${Package}\n\${Conffiles}\n""#,
        #"echo "$K sums"; find /etc -xdev -type f -size -8193k -exec md5sum {} + 2>/dev/null"#,
        #"echo "$K pristine"; md5sum /usr/share/base-files/* /usr/share/libc-bin/* 2>/dev/null; cat /var/lib/ucf/hashfile 2>/dev/null"#,
        #"echo "$K registry"; cat /var/lib/ucf/registry 2>/dev/null"#,
    ].joined(separator: "; ")

    private static let units = [
        #"echo "$K unitfiles"; systemctl list-unit-files --no-legend --no-pager --plain --full"#,
        // It lists no instances of templates.
        #"for f in /etc/systemd/system/*.wants/*@*; do echo "${f##*/} enabled"; done"#,
        #"echo "$K units"; systemctl list-units --all --no-legend --no-pager --plain --full"#,
    ].joined(separator: "; ")

    private static let pruned = ["/etc/alternatives", "/etc/ssl/certs", "*/.git", "/etc/rc[0-6S].d", "*.wants", "*.requires"]

    /// Opens each file once and prints what it opened: where that is, its status and that of the directories above it, and its
    /// content, up to a byte more than the largest may have. A user can put anything in place of a file after the survey.
    func contents(_ paths: [AbsolutePath]) -> String {
        let names = paths.map { Self.quoted($0.text) }.joined(separator: " ")
        return [
            #"K=\#(key); p=/proc/self/fd/0; for f in \#(names); do echo "$K file"; [ -f "$f" ] && { t=$(readlink $p); printf "%s\n" "$t""#,
            #"set -- $p; while case $t in /*/*) ;; *) false; esac; do t=${t%/*}; set -- "$@" "$t"; done; stat -L -c \#(Self.status) "$@""#,
            // The eleventh character is a plus if there is an access control list.
            #"case "$(ls -ldL $p)" in ??????????+*) echo "$K acl";; *) echo "$K content""#,
            #"head -c \#(ImportLimits.file + 1) && { echo; echo "$K whole"; } || { echo; echo "$K unreadable"; }; esac; } <"$f" || echo "$K unreadable"; done"#,
            #"echo "$K end""#,
        ].joined(separator: "; ")
    }

    /// One word of a shell. Paths have no newlines.
    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: #"'\''"#) + "'" }
}
