import Model

extension AbsolutePath {
    /// Whether systemd, udev or the kernel's helpers read it before file systems other than that of `/etc` may be mounted
    /// (bootup(7)): a symlink to elsewhere may lead nowhere then.
    package var isReadInEarlyBoot: Bool {
        Self.early.contains { isInside($0) }
    }

    private static let early = [
        "binfmt.d", "crypttab", "fstab", "hostname", "initramfs-tools", "locale.conf", "modprobe.d", "modules", "modules-load.d", "selinux",
        "sysctl.conf", "sysctl.d", "systemd", "sysusers.d", "tmpfiles.d", "udev", "vconsole.conf",
    ].compactMap { try? AbsolutePath("/etc/" + $0) }
}
