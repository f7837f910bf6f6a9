import Model

extension AbsolutePath {
    /// Whether systemd, udev or the kernel's helpers read the path before file systems other than that of `/etc` are
    /// mounted (bootup(7)): a symlink to another one may dangle then.
    package var isReadInEarlyBoot: Bool {
        Self.early.contains { isInside($0) }
    }

    private static let early = [
        "binfmt.d", "crypttab", "fstab", "hostname", "initramfs-tools", "locale.conf", "modprobe.d", "modules", "modules-load.d", "selinux",
        "sysctl.conf", "sysctl.d", "systemd", "sysusers.d", "tmpfiles.d", "udev", "vconsole.conf",
    ].compactMap { try? AbsolutePath("/etc/" + $0) }
}
