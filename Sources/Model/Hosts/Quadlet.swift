/// Podman's quadlets: files from which it generates units (podman-systemd.unit(5)).
package enum Quadlet {
    /// The unit that Podman generates from a file of this name, unless the file has a `ServiceName=`; nil if it is no quadlet.
    package static func unit(of file: String) -> UnitName? {
        for kind in ["container", "kube", "pod", "volume", "network", "image", "build", "artifact"] where ends(file, "." + kind) {
            return UnitName(name(of: file))
        }
        return nil
    }

    /// The same for a file that is known to be a quadlet.
    @inline(never) package static func name(of file: String) -> String {
        let bytes = file.bytes
        let dot = bytes.lastIndex(of: UInt8(ascii: ".")) ?? bytes.endIndex
        let (stem, kind) = (text(bytes[..<dot]), text(bytes[dot...].dropFirst()))
        return stem + (isSameText(kind, "container") || isSameText(kind, "kube") ? "" : "-" + kind) + ".service"
    }
}
