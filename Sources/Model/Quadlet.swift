/// Podman's quadlets: files from which it generates units (podman-systemd.unit(5)).
package enum Quadlet {
    private static var kinds: [(suffix: String, ending: String)] {
        [
            (".container", ".service"), (".kube", ".service"), (".pod", "-pod.service"), (".volume", "-volume.service"),
            (".network", "-network.service"), (".image", "-image.service"), (".build", "-build.service"),
            (".artifact", "-artifact.service"),
        ]
    }

    /// The unit that Podman generates from a file of this name, unless the file has a `ServiceName=`; nil if it is no quadlet.
    @inline(never) package static func unit(of file: String) -> UnitName? {
        for (suffix, ending) in kinds where file.utf8.ends(with: suffix) {
            return UnitName(text(file.utf8.dropLast(suffix.utf8.count)) + ending)
        }
        return nil
    }
}
