import Git
import Model
import Planning
import Wire

@testable import AgentCore
@testable import Deployment
@testable import Display
@testable import SSH
@testable import TestSupport

// Texts: the output of ssh about a server, the files and reports of hosts, and the output of a host's programs.

private func bytes(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

// MARK: From a host

private let hostKey = "debug1: Server host key: ssh-ed25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n"
private let session = """
    debug1: Connection established.
    debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1
    \(hostKey)debug1: SSH2_MSG_SERVICE_ACCEPT received
    debug1: Authentications that can continue: publickey,password
    debug1: Offering public key: /root/.ssh/id_ed25519 ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU explicit agent
    debug1: Next authentication method: password

    """

let sshOutputs: [[UInt8]] = bytes(
    session + "Permission denied (publickey,password).\n",
    session + "debug1: Sending command: sh\nWelcome\nTransferred: sent 1, received 2 bytes\nConnection to web1 closed by remote host.\n",
    hostKey + "Offending ED25519 key in /root/.ssh/known_hosts:3\nREMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.\n",
    hostKey + "@ WARNING: REVOKED HOST KEY DETECTED! @\nHost key verification failed.\n", "Host key verification failed.\n",
    "kex_exchange_identification: banner line 0: HTTP/1.0 400 \u{1b}[2J\nkex_exchange_identification: Connection closed by remote host\n",
    "ssh: connect to host web1 port 22: Connection refused\n", "ssh: Could not resolve hostname web1: Name or service not known\n",
    "Unable to negotiate with 10.0.0.1 port 22: no matching cipher found. Their offer: aes128-cbc\n",
    "channel 0: open failed: administratively prohibited: no\n")

/// Most of ssh's output comes from the server.
@Sendable func readSSHOutput(_ input: [UInt8]) throws {
    var log = SystemSSHLog()
    var rest = input[...]
    while !rest.isEmpty {
        let piece = rest.prefix(1 + Int(rest.first ?? 0) % 60)
        log.add(Array(piece))
        rest = rest.dropFirst(piece.count)
    }
    guard let name = Hostname("web1") else { return }
    let local = LocalUser(name: "ann", home: "/home/ann", id: 1000, machine: "client") { _ in nil }
    for route in ["", "proxyjump jump\n", "proxycommand nc\n"] {
        let settings = try HostSettings(
            name: name, printed: "host web1\nuser root\nhostname web1\nport 22\nuserknownhostsfile none\n" + route, local: local)
        let error = log.failure(settings, nil)
        try render(.failed(.ssh(error)))
        try expectHarmless(error.explanation(host: "web1"))
    }
    if let late = log.lateFailure { try render(.unknown(.ssh(late))) }
    guard log.standardError.count <= 64 << 10 else { throw Broken("it keeps too much") }
}

let prompts: [[UInt8]] = bytes(
    "The authenticity of host 'web1 (10.0.0.1)' can't be established.\nED25519 key fingerprint is SHA256:47DEQpj8.\nAre you sure (yes/no/[fingerprint])? ",
    "Enter passphrase for key '/root/.ssh/id_ed25519': ", "(root@web1) Password: ", "One-time code: ")

@Sendable func readPrompt(_ input: [UInt8]) throws {
    let text = String(decoding: input, as: UTF8.self)
    if let question = SystemSSHDialogue.hostKey(in: text), question.fingerprint.contains(where: \.isWhitespace) {
        throw Broken("that is no fingerprint")
    }
}

let hostLogs: [[UInt8]] = {
    let (one, other) = (ObjectID.of(.commit, []).hex, ObjectID.of(.commit, [1]).hex)
    return bytes(
        "1700000000 none \(one) deployed Ann <ann@example.com>\n1700000001 \(one) \(other) rolled-back Bob\n-1 none \(one) broken \n")
}()

@Sendable func readHostLog(_ input: [UInt8]) throws {
    guard let host = Hostname("web1") else { return }
    let entries = HostLogEntry.parse(input)
    try expectHarmless(LogText(style: .plain, time: { "\($0)" }).render([(host, .success(entries))]))
    _ = hostLogJSON([(host, .success(entries))]).text
}

let reports: [[UInt8]] = {
    let parts = [
        "0.10 0.20 0.30 1/100 1234", "MemTotal: 1000 kB\nMemAvailable: 500 kB\n", "12345.67 1.0\n", "4096000 1000", "4096000 1000", "yes",
        "deptool-agent-0.1.0-0123456789", "web web.service\n",
        "Id=web.service\nActiveState=active\nSubState=running\nStateChangeTimestampMonotonic=1000000\n",
        "bad.service loaded failed failed Bad\n",
    ]
    return bytes(parts.joined(separator: "\0"))
}()

@Sendable func readReport(_ input: [UInt8]) throws { try render(.report(input)) }

// MARK: From another operator

let plans: [[UInt8]] = {
    guard let host = Hostname("web1"), let app = AppName("web") else { return [] }
    let tree = RecordedObject(kind: .tree, bytes: [])
    let root = RecordedObject(kind: .tree, bytes: Array("40000 web1".utf8) + [0] + tree.id.bytes)
    var random = Seeded(3)
    let steps = [Step(app, .activate)] + (0..<5).map { _ in random.step() }
    var writer = ByteWriter()
    writer.text("prod")
    writer.text(Safety.Guard.auto.rawValue)
    writer.byte(0)
    writer.id(root.id)
    writer.list([PlanFile.Host(host: host, base: nil, steps: steps)])
    writer.list([root, tree])
    return [PlanFile.magic + writer.bytes]
}()

@Sendable func readPlan(_ input: [UInt8]) throws {
    guard let file = try? PlanFile(reading: input), let store else { return }
    _ = try? file.plan(store: store, tree: nil)
}

// MARK: On a host

let unitStatuses: [[UInt8]] = bytes(
    "Type=simple\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nNRestarts=1\nExecMainStatus=0\nInvocationID=ab\nJob=12\n\nLoadState=not-found\n"
)

@Sendable func readUnitStatuses(_ input: [UInt8]) throws {
    for status in UnitStatus.parse(String(decoding: input, as: UTF8.self)) { _ = status.verdict(before: "ab") }
    _ = lastLines(String(decoding: input, as: UTF8.self))
    _ = HostUnits.parse(String(decoding: input, as: UTF8.self))
}
