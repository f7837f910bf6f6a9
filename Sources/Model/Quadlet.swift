/// Podman's quadlets: files from which it generates units (podman-systemd.unit(5)).
package enum Quadlet {
    /// The unit that Podman generates from a file of this name, unless the file has a `ServiceName=`; nil if it is no quadlet.
    package static func unit(of file: String) -> UnitName? {
        for kind in ["container", "kube", "pod", "volume", "network", "image", "build", "artifact"] where file.utf8.ends(with: "." + kind) {
            return UnitName(name(of: file))
        }
        return nil
    }

    /// The same for a file that is known to be a quadlet.
    @inline(never) package static func name(of file: String) -> String {
        let dot = file.utf8.lastIndex(of: UInt8(ascii: ".")) ?? file.utf8.endIndex
        let (stem, kind) = (text(file.utf8[..<dot]), text(file.utf8[dot...].dropFirst()))
        return stem + (isSameText(kind, "container") || isSameText(kind, "kube") ? "" : "-" + kind) + ".service"
    }
}
