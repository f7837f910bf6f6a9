import Model
import Planning
import TestSupport

/// A step in a line, for comparison.
func text(_ step: Step) -> String {
    let what =
        switch step.action {
        case .checkout(for: .everybody): "checkout"
        case .checkout(for: .root): "checkout for root"
        case .grant(let group): "grant \(group.text)"
        case .activate: "activate"
        case .remove: "remove"
        case .link(let path, let source): "link \(path.text) -> \(source.text)"
        case .displace(let path, .file): "displace file \(path.text)"
        case .displace(let path, _): "displace \(path.text)"
        case .unlink(let path): "unlink \(path.text)"
        case .place(let path, let source, let access, let placement):
            "place \(path.text) <- \(source.text)"
                + (access == .ordinary
                    ? "" : " \(String(access.mode, radix: 8)) \(access.owner?.text ?? "root"):\(access.group?.text ?? "root")")
                + (placement == .new ? "" : " again")
        case .unplace(let path): "unplace \(path.text)"
        case .sysusers: "sysusers"
        case .tmpfiles: "tmpfiles"
        case .disable(let unit, let limit): "disable \(unit.text)" + within(limit)
        case .daemonReload: "daemon-reload"
        case .enable(let unit, .new): "enable \(unit.text)"
        case .enable(let unit, .refreshed): "enable \(unit.text) again"
        case .start(let unit, .leave, let limit): "start \(unit.text)" + within(limit)
        case .start(let unit, .restart, let limit): "start \(unit.text), or restart it" + within(limit)
        case .restart(let unit, let because, let limit):
            "restart \(unit.text) (\(because.path.text) +\(because.others))" + within(limit)
        case .check(let unit, let settle, let limit):
            "check \(unit.text)" + (settle.map { " for \($0)" } ?? "") + within(limit)
        case .restartIfUp(let unit, let because, let limit):
            "restart \(unit.text) if up (\(because.path.text) +\(because.others))" + within(limit)
        case .reload(let unit, let because, let ifDown, let limit):
            "reload \(unit.text)\(ifDown == .leave ? " if up" : "") (\(because.path.text) +\(because.others))" + within(limit)
        case .stop(let unit, let limit): "stop \(unit.text)" + within(limit)
        case .validate(let arguments, let limit): "validate \(arguments.joined(separator: " ")) \(limit)"
        case .unseal(let files): "unseal \(files)"
        case .probe(let probe): "probe \(probe.target)"
        case .test(let test): "test \(test)"
        case .confirm(let limit, .login(let touched)): "confirm login (\(touched ?? "always")) \(limit)"
        case .confirm(let limit, .program): "confirm by program \(limit)"
        case .confirm(let limit, .everyHost): "confirm every host \(limit)"
        }
    return (step.app.map { $0.text + ": " } ?? "") + what
}

/// The usual limit goes without saying.
private func within(_ limit: Duration) -> String { limit == .seconds(90) ? "" : " within \(limit)" }

/// The steps from one set of apps to another; nil when there is nothing to do.
func steps(
    from old: [String: [String: String]], to new: [String: [String: String]], safety: Safety = Safety(guard: .never),
    drift: [Drift] = []
) throws -> [String]? {
    let contents = Contents([old, new])
    let (old, new) = (try tree(old), try tree(new))
    try new.validate()
    if let problem = new.validateRules(deployed: old, contents.read) { throw problem }
    return HostPlan(base: nil, deployed: old, wanted: new, safety: safety, drift: drift, contents: contents.read)?.steps.map(text)
}

/// The contents of the files of trees.
struct Contents {
    private var bytes: [ObjectID: [UInt8]] = [:]

    init(_ trees: [[String: [String: String]]]) {
        for content in trees.flatMap({ $0.values.flatMap(\.values) }) {
            let content = Array(content.utf8)
            bytes[.of(.blob, content)] = content
        }
    }

    func read(_ file: FileEntry) -> [UInt8]? { bytes[file.id] }
}
