import Foundation
import Testing

extension EndToEnd {
    /// Disks that are full or take no writes.
    @Suite struct DiskTests {
        /// Two places of a host are small disks of their own.
        private let places = ["/var/lib/deptool", "/etc/links"]

        @Test func `on a disk that is full or takes no writes, the host is in the old or the new state`() throws {
            let states = try TwoStates { host in
                for place in places { try host.run("mkdir -p \(place) && mount -t tmpfs -o size=2m,mode=755 none \(place)") }
            }
            try fill(states)
            for place in places {
                try states.host.run("mount -o remount,ro \(place)")
                let output = try states.start().finish()
                #expect(output.code == 1 || output.code == 3)
                #expect(output.text.contains("the file system is read-only"), "\(output)")
                try states.host.run("mount -o remount,rw \(place)")
                _ = try states.settle(after: output.code, "\(output)")
            }
        }

        /// With different room on the disk of Deptool's directory.
        private func fill(_ states: TwoStates) throws {
            var (failed, deployed) = (0, 0)
            // In pages of 4 KiB; a deploy takes about twenty.
            for pages in stride(from: 0, through: 36, by: Torture.isWhole ? 1 : 12) {
                try states.host.run(
                    """
                    cd /var/lib/deptool; free=$(($(stat -f -c %a .) - \(pages)))
                    [ $free -le 0 ] || fallocate -l $((free * 4096)) ballast
                    """)
                let output = try states.start().finish()
                try states.host.run("rm -f /var/lib/deptool/ballast")
                // Before anything is sent, where that alone is too much.
                if output.code != 0 {
                    #expect(output.text.contains(/no space left on the disk|not enough space in \/var\/lib\/deptool:/), "\(output)")
                }
                let ended = try states.settle(after: output.code, "\(pages) pages\n\(output)")
                if ended == states.side { deployed += 1 } else { failed += 1 }
            }
            #expect(failed > 0 && deployed > 0)
            print("disks with little room: \(failed) times undone, \(deployed) times done")
        }
    }
}
