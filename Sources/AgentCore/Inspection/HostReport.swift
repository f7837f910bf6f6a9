import CSystem
import Model
import Wire

/// The state of the host, in the output of its kernel and systemd. The client interprets it.
struct HostReport {
    let system: System
    let systemd: Systemd?
    /// The file name of the agent.
    let agent: String

    /// The parts of `ReportPart`.
    func bytes() throws(AgentError) -> [UInt8] {
        let units = try Record.load(system)?.units ?? []
        var bytes: [UInt8] = []
        for path in Layout.kernelReports { bytes += ((try? system.contents(of: path, limit: 64 << 10)) ?? []) + [0] }
        for path in Layout.watchedDisks {
            var (size, available): (UInt64, UInt64) = (0, 0)
            if unsafe csys_disk(system.real(path), &size, &available) == 0 { bytes += (String(size) + " " + String(available)).bytes }
            bytes.append(0)
        }
        bytes += try (system.status(of: Layout.rebootRequired) == nil ? "" : "yes").bytes
        bytes += [0] + agent.bytes + [0]
        for unit in units { bytes += (unit.app.text + " " + unit.name.text + "\n").bytes }
        bytes.append(0)
        if let systemd { bytes += systemd.describe(units.map { $0.name }) + [0] + systemd.failedUnits() } else { bytes.append(0) }
        return bytes
    }
}

extension Systemd {
    /// The output of `systemctl show` for units, in the given order.
    fileprivate func describe(_ units: [UnitName]) -> [UInt8] {
        units.isEmpty
            ? []
            : output(
                ["systemctl", "show", "--property=ActiveState,SubState,StateChangeTimestampMonotonic", "--"] + units.map { $0.text })
    }

    /// A line for each unit that failed, its name first.
    fileprivate func failedUnits() -> [UInt8] {
        output(["systemctl", "list-units", "--state=failed", "--all", "--plain", "--no-legend"])
    }
}
