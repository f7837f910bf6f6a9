import Model
import Wire

/// The results of programs that tested their files.
typealias GuardResults = [Step.Test: (status: Int, output: [UInt8])]

extension GuardResults {
    /// The mistake that a program finds in its files. A missing program reads none. A host without a result proves
    /// nothing.
    func mistake(in test: Step.Test) -> Problem? {
        guard let (status, output) = self[test] else { return .notConfirmed(seconds: 0) }
        guard status != 0, status != 127 else { return nil }
        let words = test.command.split(separator: " ").map(String.init)
        // Without the login, which is not part of the mistake.
        return .command(
            arguments: words.filter { $0 != "-C" }, status: status, output: String(decoding: output.prefix(16 << 10), as: UTF8.self))
    }

    /// Why sshd might reject the operator once it has read its files again; nil if it accepts the login.
    func objection(to login: OwnLogin) -> HostError? {
        guard let (status, output) = self[.sshd], status == 0, let before = self[.sshdBefore], before.status == 0 else {
            return .sshdUntested([])
        }
        let (old, new) = (SSHDSettings(before.output), SSHDSettings(output))
        let changed = Set(old.values.keys).union(new.values.keys).filter { old.values[$0] != new.values[$0] }.sorted()
        for setting in changed where new.verdict(on: setting, login) == .refuses { return .sshdRefuses(setting: new.text(setting)) }
        let unknown = changed.filter { new.verdict(on: $0, login) == .unknown }.prefix(10).map { String($0.prefix(40)) }
        return unknown.isEmpty ? nil : .sshdUntested(unknown)
    }
}
