import Model

/// The values of the kernel's settings that `/etc/sysctl.d` sets. systemd-sysctl(8) sets them, but takes none back.
///
/// They need not survive a reboot, since the settings do not.
enum KernelSettings {
    static var unit: String { "systemd-sysctl.service" }

    /// Notes the present values, before the unit sets new ones. Reads keys as sysctl.d(5) does: if the first separator is a dot,
    /// dots and slashes change places. No key leads out of `/proc/sys`. The last line of the last file may have no end.
    static var note: String {
        #"""
        cd /proc/sys; { sed -n 's/^[[:space:]-]*\([^[:space:]=#;]*\)\s*=.*/\1/p' /etc/sysctl.conf /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf; echo; } | while read -r k; do
        case ${k#"${k%%[./]*}"} in .*) k=$(echo "$k" | tr ./ /.); esac
        case $k in *..*) k=; esac
        for f in ./$k; do [ -f $f ] && v=$(cat $f) && echo "${f#./}=$v"; done
        done >/var/lib/deptool/store/undo/sysctl
        """#
    }

    /// Where the values are, in the format of sysctl.d(5).
    static var noted: String { "/var/lib/deptool/store/undo/sysctl" }
    /// Sets values again.
    static var program: String { "/lib/systemd/systemd-sysctl" }
}
