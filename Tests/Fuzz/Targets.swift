import Age
import Foundation
import Git
import Model
import Sealing
import Wire

@testable import AgentCore
@testable import Deployment
@testable import Display
@testable import Planning
@testable import SSH
@testable import TestSupport

/// A parser of foreign data.
struct Target: Sendable {
    /// Valid input, or nearly so.
    var samples: [[UInt8]]
    /// Throws ``Broken`` when a property promised for any input does not hold. A refusal is no error.
    var run: @Sendable ([UInt8]) throws -> Void
}

struct Broken: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

private let surveys = [
    """
    KEY hostname
    a
    KEY directory 41ed 1 root root /etc
    KEY directory 41ed 1 root root /etc/x
    KEY file 81a4 3 root root /etc/x/one
    KEY file 8180 3 root root /etc/x/key
    KEY file a1ff 3 root root /etc/x/link
    KEY file 81a4 3 root root /etc/systemd/system/x.service
    KEY directory 41ed 1 root root /etc/systemd
    KEY directory 41ed 1 root root /etc/systemd/system
    KEY link /etc/x/link
    KEY target /etc/x/one
    KEY to 81a4 3 root root /etc/x/link
    KEY package x
     /etc/x
    KEY conffiles x
     /etc/x/one 0123456789abcdef0123456789abcdef obsolete
    KEY sums
    0123456789abcdef0123456789abcdee  /etc/x/one
    KEY pristine
    KEY unitfiles
    x.service enabled enabled
    KEY units
    x.service loaded active running X
    KEY mounts
    1 2 3:4 / /etc/y rw - ext4 /dev/sda rw
    KEY programs
    /usr/sbin/nginx
    KEY end

    """
].map { Array($0.utf8) }

private func samples<Value: WireCodable>(_ make: (inout Seeded) -> Value) -> [[UInt8]] {
    var random = Seeded(1)
    return (0..<200).map { _ in make(&random).encoded }
}

/// Decodes, and expects that a value has one form in bytes. A file on disk has one for each version of its format.
private func decode<Value: WireCodable>(_ type: Value.Type, _ input: [UInt8], _ kept: FormatHeader.Kind? = nil) throws -> Value? {
    guard let value = try? Value(decoding: input) else { return nil }
    var reader = ByteReader(input)
    if let kept, try FormatHeader(kept, from: &reader).version != kept.current { return value }
    guard value.encoded == input else { throw Broken("it is written in another way than it was read") }
    return value
}

/// Text for people has no control characters but ends of lines.
func expectHarmless(_ text: String) throws {
    let harmful = text.unicodeScalars.first { $0 != "\n" && ($0.properties.generalCategory == .control || $0 == "\u{202e}") }
    if let harmful { throw Broken("U+\(String(harmful.value, radix: 16)) gets to the terminal in: \(visible(text))") }
}

func render(_ result: HostResult) throws {
    guard let host = Hostname("web1") else { return }
    try expectHarmless(SummaryText(style: .plain).render([(host, result)], took: .seconds(1)))
    if case .failed(let error) = result { try expectHarmless(error.phrase) }
}

/// Every text that a reply can become.
func render(_ reply: Reply) throws {
    switch reply {
    case .finished(.rolledBack(let failure)): try render(.rolledBack(failure))
    case .finished(.broken(let failure, let undoing, let remainder)): try render(.broken(failure, undoing: undoing, remainder))
    case .finished(.unchanged(let failure)), .refused(let failure), .undoing(let failure): try render(.failed(.refused(failure)))
    case .busy(let holder): try render(.failed(.busy(holder)))
    case .hello(let hello):
        try render(.failed(.wrongHostname(expected: "web1", found: hello.hostname)))
        if case .broken(let failure, let undoing, let remainder)? = hello.recovery {
            try render(.failed(.broken(failure, undoing: undoing, remainder)))
        }
    case .report(let bytes):
        guard let host = Hostname("web1"), let status = LiveStatus(bytes, commit: nil) else { break }
        try expectHarmless(LiveStatusText(style: .plain).lines([(host, .success(status))]).joined(separator: "\n"))
        _ = liveStatusJSON([(host, .success(status))], now: 0).text
    case .stale(let record?), .record(let record?): try render(.stale(record.commit))
    case .drift(let drift):
        let found = Verification(commit: .of(.commit, []), known: nil, drift: drift)
        guard let host = Hostname("web1") else { return }
        try expectHarmless(VerifyText(style: .plain).render([(host, .success(found))]))
        _ = (verifyJSON([(host, .success(found))]).text, found.editedFiles(host))
        // A host cannot make up steps.
        if drift.contains(where: DriftPlaces(HostTree(host: host, id: .of(.tree, []), apps: [])).has) { throw Broken("it is believed") }
    default: break
    }
}

private let knownHosts = """
    web1,10.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl comment
    |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
    @revoked *.example.com,!web?.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
    [web1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
    @cert-authority * ssh-rsa AAAA

    """

private let settings = """
    host web1
    user root
    hostname 10.0.0.1
    port 22
    addressfamily any
    stricthostkeychecking ask
    identityfile ~/.ssh/id_%h
    identityfile ${HOME}/.ssh/id_ed25519
    identityagent SSH_AUTH_SOCK
    userknownhostsfile /root/.ssh/known_hosts /root/.ssh/%k
    globalknownhostsfile /etc/ssh/ssh_known_hosts
    connecttimeout 10
    controlpath ~/.ssh/%C-%r@%h:%p
    hostkeyalias web1
    proxyjump ann@jump:2222,[::1]:22
    proxycommand ssh -W %h:%p jump

    """

private let agentKeys: [[UInt8]] = {
    var key = SSHWireWriter(), answer = SSHWireWriter(), signature = SSHWireWriter(), signed = SSHWireWriter()
    key.string("ssh-ed25519".utf8)
    key.string([UInt8](repeating: 7, count: 32))
    answer.byte(12)
    answer.number(1)
    answer.string(key.bytes)
    answer.string("ann@client".utf8)
    signature.string("ssh-ed25519".utf8)
    signature.string([UInt8](repeating: 9, count: 64))
    signed.byte(14)
    signed.string(signature.bytes)
    return [answer.bytes, signed.bytes]
}()

private let httpAnswers: [[UInt8]] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", "HTTP/1.0 204 No Content\n\n", "HTTP/1.1 503 No\r\nRetry-After: 1\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nfine\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\ncontent-LENGTH : 18446744073709551616\r\n\r\n", "SSH-2.0-x\r\n",
].map { Array($0.utf8) }

/// Answers to the query for the address of a.example, with pointers.
private let dnsAnswers: [[UInt8]] = {
    let question: [UInt8] = [1, 0x61, 7] + Array("example".utf8) + [0, 0, 1, 0, 1]
    func answer(_ flags: [UInt8], _ records: [[UInt8]]) -> [UInt8] {
        [0x12, 0x34] + flags + [0, 1, 0, UInt8(records.count), 0, 0, 0, 0] + question + records.flatMap { $0 }
    }
    let alias: [UInt8] = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 0x62, 0xc0, 14]
    let address: [UInt8] = [0xc0, 39, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]
    return [answer([0x81, 0x80], [alias, address]), answer([0x81, 0x83], []), answer([0x83, 0x80], [alias])]
}()

private let probes: [[UInt8]] = [
    #"{"health": [{"http": "http://[::1]:8080/up?x", "status": 204, "host": "a.example", "within": 3, "timeout": 0.5, "successes": 2}]}"#,
    #"{"health": [{"tcp": "localhost:1"}, {"unix": "/run/x"}, {"dns": "::1", "name": "a.example.", "type": "soa"}, {"unit": "a.service"}]}"#,
    #"{"systemd": {"on_change": {"a.service": {"reload": ["./", "../b/", "../b/c"]}}}, "checks": [["/bin/x", "y"], ["./z"]]}"#,
].map { Array($0.utf8) }

private let ageContent = [UInt8](repeating: 7, count: 70_000)

private func ageIdentity() -> AgeIdentity {
    AgeIdentity(scalar: SecretBytes(copying: [UInt8](repeating: 9, count: 32)[...]), Libcrypto.self)
}

/// Sealed for an identity, alone and beside a key of SSH.
private let ageFiles: [[UInt8]] = [0, 20, ageContent.count].map { count in
    let recipients = [AgeRecipient.age(ageIdentity().point), .ssh(key: Array("a key".utf8), point: ageIdentity().point)]
    return SealedFile.seal(SecretBytes(copying: ageContent[..<count]), Libcrypto.self) { key in
        recipients.compactMap { $0.seal(key, Libcrypto.self) }
    }
}

private let recipients = [
    """
    # operators
    ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann
    from="10.0.0.0/8",command="a \\" b" ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== bob
    age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj carol

    """
].map { Array($0.utf8) }

private let ageKeys = [
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n",
    """
    -----BEGIN OPENSSH PRIVATE KEY-----
    \(Data("openssh-key-v1\0\0\0\0\u{4}none\0\0\0\u{4}none\0\0\0\0\0\0\0\u{1}\0\0\0\u{f}\0\0\0\u{b}ssh-ed25519\0\0\0\0".utf8).base64EncodedString())
    -----END OPENSSH PRIVATE KEY-----

    """,
].map { Array($0.utf8) }

let targets: [String: Target] = [
    // Only the sealed content opens.
    "age": Target(samples: ageFiles) { input in
        let key = ageIdentity()
        guard let file = try? SealedFile(input), let content = try? file.open(with: key, Libcrypto.self) else { return }
        guard ageFiles.contains(input), content.withBytes({ $0.elementsEqual(ageContent[..<$0.count]) }) else { throw Broken("it opens") }
    },
    "recipients": Target(samples: recipients) { input in
        do throws(RecipientsFile.LineError) {
            _ = try RecipientsFile(parsing: input)
        } catch {
            try expectHarmless(error.problem.phrase)
        }
    },
    "age-key": Target(samples: ageKeys) { input in
        _ = try? AgeIdentity(file: SecretBytes(copying: input[...]), Libcrypto.self)
        _ = AgeRecipient(age: input)
    },
    "probe": Target(samples: [
        Array("DEPTOOL-PROBE-BEGIN\ncpu Linux x86_64\nhostname a\nspace a 1 2 3 4 /\noptions rw\nsystemd s\nDEPTOOL-PROBE-END\n".utf8)
    ]) { input in
        guard let probe = HostFacts(input), let host = Hostname("web1") else { return }
        try expectHarmless(
            DoctorText(style: .plain).render(Diagnosis.about(host, Doctor.steps(probe, .init(hostname: "a", usesQuadlets: true)))))
    },
    "survey": Target(samples: surveys) { input in
        guard let host = Hostname("web1"), let survey = HostSurvey(SurveyPieces(input, key: "KEY")) else { return }
        let existing = HostTree(host: host, id: .of(.tree, []), apps: [])
        let all = HostImport(.everything, existing: existing)
        let contents = all.files(survey).map { _ in FoundContent.whole([]) }
        for written in try all.finished(survey, contents) {
            try expectHarmless(ImportText(host, style: .plain).render([written.app]))
            for file in written.app.files where !survey.isPublic(file.path, file.status) {
                throw Broken("\(file.path) is not for everybody")
            }
        }
    },
    "survey-contents": Target(samples: [
        Array(
            ("KEY file\n/etc/x\n81a4 3 root root /proc/self/fd/0\n41ed 9 root root /etc\nKEY content\nabc\nKEY whole\n"
                + "KEY file\n/etc/x\nKEY acl\nKEY file\nKEY unreadable\nKEY end\n").utf8)
    ]) { input in
        let files = try [3, 0, 0].map { (size: UInt64) in
            let status = HostSurvey.Status(mode: 0o100644, size: size, owner: "root", group: "root")
            return FoundFile(path: try AbsolutePath("/etc/x"), status: status, origin: .own)
        }
        for case .whole(let bytes)? in FoundContent.read(SurveyPieces(input, key: "KEY"), of: files) ?? []
        where ![0, 3].contains(bytes.count) {
            throw Broken("a file has another size than its status")
        }
    },
    "request": Target(samples: samples { $0.request() }) { input in
        if case .prepare(let preparation)? = try decode(Request.self, input) { _ = preparation.isConsistent }
    },
    "reply": Target(samples: samples { $0.reply() }) { input in
        if let reply = try decode(Reply.self, input) { try render(reply) }
    },
    "record": Target(samples: samples { $0.record() }) { input in _ = try decode(Record.self, input)?.isConsistent },
    "stored-record": Target(
        samples: samples { random in
            StoredRecord(machineID: "ab", record: random.record(), madeDirectories: [])
        }
    ) { input in _ = try decode(StoredRecord.self, input, .record)?.record.isConsistent },
    "holder": Target(samples: samples { LockHolder(name: "Ann", since: Int64($0.int(0...9))) }) { input in
        _ = try decode(LockHolder.self, input)
    },
    "host-log": Target(samples: hostLogs, run: readHostLog),
    "plan-file": Target(samples: plans, run: readPlan),
    "prompt": Target(samples: prompts, run: readPrompt),
    // Output that the guard parses: of the login itself, and of sshd before and after.
    "guard": Target(samples: guardTests) { input in
        let parts = input.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map(Array.init)
        guard parts.count == 3, let login = OwnLogin(parts[0]) else { return }
        let tests: GuardResults = [.sshdBefore: (0, parts[1]), .sshd: (0, parts[2]), .sudo: (1, parts[1]), .nftables: (2, parts[2])]
        guard !login.specification.contains("\n") else { throw Broken("an argument has two lines") }
        for mistake in [Step.Test.sudo, .nftables].compactMap(tests.mistake) { try render(.rolledBack(AgentError(mistake))) }
        if let objection = tests.objection(to: login) { try render(.lockedOut(objection)) }
    },
    "unit-file": Target(samples: unitFiles) { input in
        for name in ["a.service", "a-b@c.socket"] {
            guard let unit = UnitName(name) else { return }
            guard !InstallSection(input, of: unit).also.contains(unit) else { throw Broken("a unit comes along with itself") }
        }
    },
    // Answers of services, with the bytes in pieces: of HTTP, and of DNS to one query.
    "http-answer": Target(samples: httpAnswers) { input in
        for expected in [nil, 204] as [Int?] {
            for ending in [HTTPAnswer.Ending.closed, .reset, .timeout] {
                var whole = HTTPAnswer(expecting: expected)
                var pieces = HTTPAnswer(expecting: expected)
                let verdict = whole.take(input, count: input.count) ?? whole.end(ending)
                var found: ProbeAnswer?
                for byte in input where found == nil { found = pieces.take([byte], count: 1) }
                guard (found ?? pieces.end(ending)) == verdict else { throw Broken("it matters in which pieces the bytes come") }
                try expectHarmless(verdict.phrase)
            }
        }
    },
    "dns-answer": Target(samples: dnsAnswers) { input in
        guard let name = DomainName("a.example") else { return }
        let answer = DNSQuery(id: 0x1234, name: name, type: .a).check(input, count: input.count)
        try expectHarmless(answer.phrase)
    },
    "manifest-probes": Target(samples: probes) { input in
        guard let manifest = try? Manifest(parsing: input) else { return }
        for probe in manifest.probes {
            guard try Probe(decoding: probe.encoded) == probe else { throw Broken("a probe changes on the wire") }
            try expectHarmless(probe.phrase)
        }
    },
    "report": Target(samples: reports, run: readReport),
    "ssh-output": Target(samples: sshOutputs, run: readSSHOutput),
    "unit-status": Target(samples: unitStatuses, run: readUnitStatuses),
    "journal": Target(samples: journals) { input in _ = try decode(Journal.self, input, .journal) },
    "frames": Target(samples: samples { $0.reply() }.map { Frame.length($0) }) { input in
        var (whole, pieces) = (FrameDecoder(), FrameDecoder())
        whole.append(input[...])
        var left = input[...]
        while true {
            let expected = Result { try whole.next(Reply.self) }
            var found = Result { try pieces.next(Reply.self) }
            while case .success(nil) = found, let byte = left.popFirst() {
                pieces.append([byte][...])
                found = Result { try pieces.next(Reply.self) }
            }
            switch (expected, found) {
            case (.success(let one?), .success(let other?)) where one == other: continue
            case (.success(nil), .success(nil)), (.failure, .failure): return
            default: throw Broken("it matters in which pieces the bytes come")
            }
        }
    },
    "conversation": Target(samples: conversations, run: converse),
    "agent": Target(samples: sessions, run: serve),
    "adopt": Target(samples: records, run: adopt),
    "known-hosts": Target(samples: [Array(knownHosts.utf8)]) { input in
        var known = KnownHosts()
        known.parse(input, path: "known_hosts")
        guard let key = PublicKey(line: Array(knownHosts.utf8).split(separator: 10)[0].drop { $0 != 32 }.dropFirst()) else {
            throw Broken("the sample has no key")
        }
        for name in ["web1", "web2.example.com", "[web1]:2222"] { _ = (known.lookup(name, key), known.types(of: name)) }
    },
    "settings": Target(samples: [Array(settings.utf8)]) { input in
        guard let name = Hostname("web1") else { return }
        let local = LocalUser(name: "ann", home: "/home/ann", id: 1000, machine: "client") { _ in "value" }
        do throws(SSHError) {
            let found = try HostSettings(name: name, printed: String(decoding: input, as: UTF8.self), local: local)
            if case .jump(let hosts) = found.route { _ = ProxyCommand.jumpArguments(hosts, found) }
            _ = found.knownHostsName
        } catch {
            try expectHarmless(error.explanation(host: "web1"))
        }
    },
    "agent-keys": Target(samples: agentKeys) { input in _ = (AgentMessages.keys(input), AgentMessages.signature(input)) },
    "manifest": Target(samples: manifests) { input in
        do throws(FormatError) { _ = try Manifest(parsing: input) } catch { _ = "\(error)" }
        do throws(FormatError) { _ = try HostOptions(parsing: input) } catch { _ = "\(error)" }
    },
    // The output of a login, sshd, sudo or ssh.
    "output": Target(samples: [Array("motd\r\n\u{1b}]0;title\u{7}\u{9b}2J \u{202e}ä€😀".utf8)]) { input in
        let text = String(decoding: input, as: UTF8.self)
        try expectHarmless(visible(text))
        try expectHarmless(quoted(text))
        for error in [
            SSHError.closedEarly(printed: text), .commandRefused(message: text), .protocolError(.handshake, message: text),
            .proxyFailed(command: "ssh", printed: text), .configurationRefused(printed: text),
        ] {
            try render(.failed(.ssh(error)))
            try render(.unknown(.ssh(error)))
        }
        if let problem = SudoProblem(text) { try render(.failed(.sudo(problem, printed: input))) }
        try render(.failed(.bootstrap(stage: text, printed: input)))
        try render(.failed(.noAgentSpoke(.signal(text), printed: input)))
        try render(.failed(.unknownCPU(text, carried: ["x86_64"])))
    },
]

private let guardTests = [
    "DEPTOOL-LOGIN ann,10.0.0.1 40000 10.0.0.2 22,users sudo\n\0allowusers ann@10.0.0.*\nport 22\n\0allowusers bob\ndenygroups s*\n",
    "DEPTOOL-LOGIN root,,root\n\0permitrootlogin yes\n \n\0permitrootlogin no\npermittty no\nmatch ?\n",
].map { Array($0.utf8) }

private let unitFiles = [
    "[Unit]\nDescription=x\n[Install]\n# c\nAlso = b.service \\\n ; d\n %p-x@%i.socket\nAlias=z.service\n",
    "[Install]\r\nAlso=%n %N.timer %%\r\n",
].map { Array($0.utf8) }

private let manifests = [
    #"{"systemd": {"units_enabled": ["a.service"]}, "symlinks": {"/etc/a": "b/c"}}"#,
    #"{"hostname": "web1.example.com"}"#, #"{"a": [1, -2.5e9, true, null, "\u00e4\ud83d\ude00\n"]}"#,
].map { Array($0.utf8) }

extension Frame {
    /// A message with its length in front.
    static func length(_ message: [UInt8]) -> [UInt8] {
        let count = UInt32(message.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + message
    }
}
