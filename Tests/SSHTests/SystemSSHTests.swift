import Foundation
import Model
import Testing

@testable import SSH

extension Server {
    /// Settings from an ssh configuration for this server, as ssh prints them. `lines` come first and win.
    func configured(
        _ lines: String = "", known types: [String] = ["ed25519"], key: String? = "id_ed25519"
    ) throws -> HostSettings {
        _ = try key == "id_ed25519" ? settingsWithKey(known: types) : settings(known: types)
        let file = try scratch.write(
            """
            Host web1
            \(lines)
              HostName 127.0.0.1
              Port \(port)
              UserKnownHostsFile \(scratch.file("known_hosts"))
              GlobalKnownHostsFile none
              StrictHostKeyChecking yes
              IdentityAgent none
              IdentitiesOnly yes
              IdentityFile \(scratch.file(key ?? "none"))

            """, to: "config")
        return try ask(file)
    }
}

/// The settings of `web1` in an ssh configuration.
func ask(_ configuration: String) throws -> HostSettings {
    try HostSettings.ask(
        for: try #require(Hostname("web1")), configurationFile: configuration, local: .current(), interrupt: Interrupt(),
        deadline: .after(.seconds(20)))
}

func systemSSH(
    _ settings: HostSettings, _ command: String, _ prompts: Prompts = .none, sharing: SystemSSH.Sharing = .allowed,
    deadline: Deadline = .after(.seconds(30))
) throws -> SystemSSH {
    try SystemSSH(
        command, on: settings, sharing: sharing, prompts: prompts, interrupt: Interrupt(), deadline: deadline)
}

extension SystemSSH {
    /// All of its output.
    func output() throws -> String {
        var bytes: [UInt8] = []
        while case let more = try read(max: .max, deadline: .after(.seconds(30))), !more.isEmpty { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The error that the system's ssh ends with.
private func complaint(_ settings: HostSettings, deadline: Deadline = .after(.seconds(30))) throws -> SSHError? {
    #expect(throws: SSHError.self) { _ = try systemSSH(settings, "true", deadline: deadline) }
}

/// The processes whose arguments have this text.
private func processes(with text: String) throws -> [String] {
    let all = try output(of: ["ps", "-eo", "pid=,args="])
    return all.split(separator: "\n").map(String.init).filter { $0.contains(text) && ($0.contains("ssh ") || $0.contains("ssh:")) }
}

/// The same as over libssh2 (`ChannelTests`).
@Suite(.needsServer) struct SystemSSHStreamTests {
    private let server: Server
    private let settings: HostSettings
    private let soon = Deadline.after(.seconds(60))

    init() throws {
        server = try Server()
        settings = try server.configured()
    }

    @Test func `a command's output, errors and exit status arrive`() throws {
        let stream = try systemSSH(settings, "echo out; echo err >&2; printf rest >&2; exit 7")
        #expect(try stream.read(max: 2, deadline: soon) == Array("ou".utf8))
        #expect(try stream.read(max: 100, deadline: soon) == Array("t\n".utf8))
        #expect(try stream.read(max: 100, deadline: soon) == [])
        #expect(try stream.exitStatus(deadline: soon) == .code(7))
        #expect(String(decoding: stream.standardError, as: UTF8.self).hasPrefix("err\nrest"))
        #expect(try systemSSH(settings, "exit 255").exitStatus(deadline: soon) == .code(255))
    }

    @Test func `megabytes there and back are the same`() throws {
        let stream = try systemSSH(settings, "cat")
        let block = (0..<2 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        for _ in 0..<4 { try stream.write(block, deadline: soon) }
        try stream.closeWrite(deadline: soon)
        var received: [UInt8] = []
        while case let bytes = try stream.read(max: 100_000, deadline: soon), !bytes.isEmpty { received += bytes }
        #expect(received == block + block + block + block)
        #expect(try stream.exitStatus(deadline: soon) == .code(0))
        #expect(stream.standardError == [])
    }

    @Test func `a flood of errors is cut and blocks nothing`() throws {
        let stream = try systemSSH(settings, "head -c 5000000 /dev/zero | tr '\\0' '\\n' >&2; echo done")
        #expect(try stream.output() == "done\n")
        #expect(stream.standardError.count == 64 << 10)
    }

    @Test func `output on standard error ends a wait and stays available`() throws {
        let stream = try systemSSH(settings, "printf question >&2; read line; echo got $line")
        while try !stream.waitForOutput(deadline: soon), stream.standardError != Array("question".utf8) {}
        #expect(throws: SSHError.timedOut(.transferring)) {
            _ = try stream.read(max: 100, deadline: .after(.milliseconds(50)))
        }
        try stream.write(Array("it\n".utf8), deadline: soon)
        // Other messages of ssh end a wait as well.
        while try !stream.waitForOutput(deadline: soon) {}
        #expect(try stream.output() == "got it\n")
    }

    @Test func `a write that the host never reads ends at its deadline`() throws {
        let stream = try systemSSH(settings, "sleep 60")
        #expect(throws: SSHError.timedOut(.transferring)) {
            try stream.write([UInt8](repeating: 0, count: 16 << 20), deadline: .after(.milliseconds(300)))
        }
    }

    @Test func `an interrupt ends a wait, and no ssh stays behind`() throws {
        let interrupt = try Interrupt()
        var stream: SystemSSH? = try SystemSSH(
            "sleep 60", on: settings, sharing: .allowed, prompts: .none, interrupt: interrupt, deadline: soon)
        #expect(try processes(with: server.scratch.path).count == 1)
        Thread.detachNewThread {
            usleep(50_000)
            interrupt.fire()
        }
        #expect(throws: SSHError.interrupted) { _ = try stream?.read(max: 100, deadline: soon) }
        stream = nil
        #expect(try processes(with: server.scratch.path) == [])
    }

    @Test func `a stopped ssh is killed`() throws {
        var stream: SystemSSH? = try systemSSH(settings, "sleep 60")
        let id = try #require(processes(with: server.scratch.path).first?.split(separator: " ").first.flatMap { Int32($0) })
        kill(id, SIGSTOP)
        #expect(stream?.standardError == [])
        stream = nil
        #expect(kill(id, 0) == -1)
    }

    @Test func `a connection that the server drops is lost`() throws {
        let stream = try systemSSH(settings, "kill -9 $PPID; sleep 60")
        #expect(try stream.output() == "")
        #expect(throws: SSHError.connectionLost(.transferring)) { _ = try stream.exitStatus(deadline: soon) }
    }

    @Test func `a command that may not run is an error`() throws {
        let server = try Server("MaxSessions 0")
        let error = try #require(throws: SSHError.self) { _ = try systemSSH(server.configured(), "true") }
        guard case .commandRefused(let message) = error else { throw error }
        #expect(message.contains("open failed"))
    }
}

/// Logins over ssh, and the errors made of ssh's messages.
@Suite(.needsServer) struct SystemSSHLoginTests {
    @Test(arguments: ["ed25519", "ecdsa", "rsa"])
    func `a key in a file logs in`(type: String) throws {
        let server = try Server()
        let key = try server.scratch.key("id_\(type)_x", type: type)
        try server.authorize("\(key).pub")
        #expect(try systemSSH(try server.configured(key: "id_\(type)_x"), "echo in").output() == "in\n")
    }

    @Test func `the configured key of the agent is tried first`() throws {
        let server = try Server("MaxAuthTries 2"), agent = try TestAgent()
        for number in 1...5 { try agent.add(try server.scratch.key("wrong\(number)")) }
        let right = try server.scratch.key("right")
        try agent.add(right)
        try server.authorize("\(right).pub")
        try FileManager.default.removeItem(atPath: right)
        let settings = try server.configured("  IdentityAgent \(agent.socket)", key: "right.pub")
        #expect(try systemSSH(settings, "echo in").output() == "in\n")
    }

    @Test func `a certificate logs in, and is a reason for ssh`() throws {
        let server = try Server()
        let authority = try server.scratch.key("ca"), key = try server.scratch.key("id_cert")
        try output(of: ["ssh-keygen", "-q", "-s", authority, "-I", "test", "-n", NSUserName(), "\(key).pub"])
        try server.scratch.write("cert-authority " + server.scratch.read("ca.pub"), to: "authorized_keys")
        let settings = try server.configured(key: "id_cert")
        #expect(try settings.reasonForSystemSSH(.allowed) == .certificate(path: "\(key)-cert.pub"))
        #expect(try systemSSH(settings, "echo in").output() == "in\n")
        // Named in the configuration, too.
        try FileManager.default.moveItem(atPath: "\(key)-cert.pub", toPath: server.scratch.file("other"))
        let named = try server.configured("  CertificateFile \(server.scratch.file("other"))", key: "id_cert")
        #expect(try named.reasonForSystemSSH(.allowed) == .settings(["CertificateFile"]))
        #expect(try systemSSH(named, "echo in").output() == "in\n")
    }

    @Test func `a host's certificate is verified, and is a reason for ssh`() throws {
        let scratch = try Scratch()
        let authority = try scratch.key("ca"), host = try scratch.key("host")
        try output(of: ["ssh-keygen", "-q", "-s", authority, "-h", "-I", "web1", "-n", "web1,127.0.0.1", "\(host).pub"])
        let server = try Server("HostKey \(host)\nHostCertificate \(host)-cert.pub")
        _ = try server.settingsWithKey()
        try server.scratch.write("@cert-authority * " + scratch.read("ca.pub"), to: "known")
        let settings = try server.configured("  UserKnownHostsFile \(server.scratch.file("known"))")
        #expect(try settings.reasonForSystemSSH(.allowed) == .certificateAuthority)
        #expect(try systemSSH(settings, "echo in").output() == "in\n")
        // By another authority, it is as unknown as any key.
        try server.scratch.write("@cert-authority * " + server.scratch.read("id_ed25519.pub"), to: "known")
        guard case .hostKeyUnknown? = try complaint(settings) else {
            Issue.record("no such error")
            return
        }
    }

    @Test func `a living ControlMaster is used, except for a login that must be new`() throws {
        let server = try Server()
        let socket = server.scratch.file("master")
        let settings = try server.configured("  ControlPath \(socket)")
        #expect(try settings.reasonForSystemSSH(.allowed) == nil)
        let file = try #require(settings.configurationFile)
        let master = try Daemon(["ssh", "-F", file, "-N", "-M", "web1"])
        try waitUntil { (try? settings.reasonForSystemSSH(.allowed)) == .controlMaster }
        #expect(try settings.reasonForSystemSSH(.none) == nil)
        // The server accepts no new logins.
        try server.scratch.write("", to: "authorized_keys")
        #expect(try systemSSH(settings, "echo in; exit 3").output() == "in\n")
        #expect(try systemSSH(settings, "exit 3").exitStatus(deadline: .after(.seconds(20))) == .code(3))
        #expect(throws: SSHError.self) { _ = try systemSSH(settings, "true", sharing: .none) }
        withExtendedLifetime(master) {}
    }

    @Test func `no connection is shared with later logins, even with ControlPersist`() throws {
        let server = try Server()
        let socket = server.scratch.file("master")
        let settings = try server.configured("  ControlPath \(socket)\n  ControlMaster auto\n  ControlPersist yes")
        #expect(try systemSSH(settings, "echo in").output() == "in\n")
        #expect(!FileManager.default.fileExists(atPath: socket))
        #expect(try processes(with: server.scratch.path) == [])
    }

    @Test func `options that would corrupt the stream have no effect`() throws {
        let server = try Server()
        let settings = try server.configured(
            """
              RemoteCommand echo other
              RequestTTY force
              LocalCommand echo local
              PermitLocalCommand yes
              LogLevel QUIET
              ForwardAgent yes
            """)
        #expect(try systemSSH(settings, "echo in; test -t 0 && echo terminal; echo \"$SSH_AUTH_SOCK\"").output() == "in\n\n")
    }

    @Test func `a jump host carries the connection`() throws {
        let server = try Server(), jump = try Server(), second = try Server()
        let entries = [try jump.entry("jump"), try second.entry("second"), try server.entry("web1", "ProxyJump jump,second")]
        let configuration = try server.scratch.write(entries.joined() + "Host *\n  IdentityAgent none\n", to: "config")
        let settings = try ask(configuration)
        #expect(try systemSSH(settings, "echo in").output() == "in\n")
        #expect(try connect(settings).output(of: "echo in") == "in\n")
        // The second jump host accepts no key any more.
        try second.scratch.write("", to: "authorized_keys")
        for error in [try complaint(settings), try failure(settings)] {
            guard case .proxyFailed(_, let printed)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(printed.contains("Permission denied (publickey)"))
        }
    }

    @Test func `a busy host behind a jump host is tried again, and one that cannot work is not`() throws {
        let banner = try Scratch()
        let jump = try Server("Banner \(try banner.write("Authorized use only\n", to: "banner"))")
        let old = try Server("KexAlgorithms curve25519-sha256\nCiphers aes128-ctr"), busy = try Listener { _ in }
        let entry = try jump.entry("jump")
        func errors(jumps: String) throws -> [SSHError?] {
            let settings = try ask(
                try banner.write(
                    """
                    \(entry)
                    Host old
                      HostName 127.0.0.1
                      Port \(old.port)
                      Ciphers chacha20-poly1305@openssh.com
                    Host web1
                      HostName 127.0.0.1
                      Port \(busy.port)
                      ProxyJump \(jumps)
                    Host *
                      IdentityAgent none

                    """, to: "config"))
            return [try complaint(settings), try failure(settings)]
        }
        for error in try errors(jumps: "jump") { #expect(error?.isWorthRetrying == true, "\(String(describing: error))") }
        for error in try errors(jumps: "jump,old") {
            guard case .proxyFailed(_, let printed)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(printed.contains("no matching cipher found. Their offer: aes128-ctr"))
            #expect(error?.isWorthRetrying == false)
        }
    }

    @Test func `the output of ssh about a proxy is quoted, without the line about its end`() {
        let end = "\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n"
        let nested = "kex_exchange_identification: read: Connection reset by peer\nConnection reset by UNKNOWN port 65535" + end
        // What is left, and whether it may be different the next time, behind a jump host.
        let cases: [(output: String, printed: String, retries: Bool)] = [
            (end, "", true), (nested, "", true), ("banner exchange: Connection to UNKNOWN port 65535: Broken pipe", "", true),
            ("Authorized use only" + end, "Authorized use only", true),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by 192.0.2.1 port 22" + end,
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by 192.0.2.1 port 22", true
            ),
            ("ann@jump: Permission denied (publickey)." + end, "ann@jump: Permission denied (publickey).", false),
            (
                "Unable to negotiate with UNKNOWN port 65535: no matching cipher found. Their offer: x" + end,
                "Unable to negotiate with UNKNOWN port 65535: no matching cipher found. Their offer: x", false
            ),
            (
                "Received disconnect from UNKNOWN port 65535:2: Too many authentication failures" + end,
                "Received disconnect from UNKNOWN port 65535:2: Too many authentication failures", false
            ),
            (
                "kex_exchange_identification: banner line contains invalid characters\nbanner exchange: Connection to UNKNOWN port 65535: invalid format",
                "kex_exchange_identification: banner line contains invalid characters\nbanner exchange: Connection to UNKNOWN port 65535: invalid format",
                false
            ),
        ]
        for (output, printed, retries) in cases {
            let error = SSHError.proxyFailed(command: "ssh -J jump", output: output)
            #expect(error == .proxyFailed(command: "ssh -J jump", printed: printed))
            #expect(error.isWorthRetrying == retries, "\(output)")
        }
    }

    @Test func `a refused login names the keys and methods tried`() throws {
        let server = try Server(), agent = try TestAgent()
        try agent.add(try server.scratch.key("agents"))
        _ = try server.scratch.key("wrong")
        let settings = try server.configured("  IdentityAgent \(agent.socket)\n  IdentitiesOnly no", key: "wrong")
        guard case .loginFailed(let failure)? = try complaint(settings) else {
            Issue.record("no such error")
            return
        }
        #expect(failure.end == .allTried)
        #expect(failure.methods == ["publickey"])
        #expect(
            Set(failure.offers) == [
                Offer(source: .agent(comment: "agents"), type: "ED25519", outcome: .refused),
                Offer(source: .file(path: server.scratch.file("wrong")), type: "ED25519", outcome: .refused),
            ])
    }

    @Test func `a server that hangs up after too many tries is reported as such`() throws {
        let server = try Server("MaxAuthTries 2"), agent = try TestAgent()
        for number in 1...5 { try agent.add(try server.scratch.key("wrong\(number)")) }
        let settings = try server.configured("  IdentityAgent \(agent.socket)\n  IdentitiesOnly no", key: nil)
        guard case .loginFailed(let failure)? = try complaint(settings) else {
            Issue.record("no such error")
            return
        }
        #expect(failure.end == .serverHungUp)
        #expect(failure.offers.count >= 2)
    }

    @Test func `changed, revoked and unknown host keys are refused`() throws {
        let server = try Server()
        _ = try server.configured()
        let known = server.scratch.file("known")
        let type = "ssh-ed25519",
            fingerprint = String(
                try output(of: ["ssh-keygen", "-lf", server.scratch.file("host_ed25519.pub")]).split(separator: " ")[1])
        let name = "[127.0.0.1]:\(server.port)"
        func question(knowing types: [String] = []) -> HostKeyQuestion {
            HostKeyQuestion(host: name, type: type, fingerprint: fingerprint, knownTypes: types)
        }
        let settings = try server.configured("  UserKnownHostsFile \(known)")
        for checking in ["yes", "ask"] {
            let settings = try server.configured("  UserKnownHostsFile \(known)\n  StrictHostKeyChecking \(checking)")
            #expect(try complaint(settings) == .hostKeyUnknown(question()))
        }
        let other = try server.scratch.key("other")
        let line = "# one\n\(name) \(try server.scratch.read("other.pub"))"
        try server.scratch.write(line, to: "known")
        #expect(
            try complaint(settings)
                == .hostKeyChanged(question(knowing: [type]), at: KnownHostsPlace(path: known, line: 2)))
        try server.scratch.write("@revoked * \(try server.scratch.read("host_ed25519.pub"))", to: "known")
        #expect(try complaint(settings) == .hostKeyRevoked(question(), at: KnownHostsPlace(path: known, line: 1)))
        // An accepted new key is known afterwards.
        try server.scratch.write("", to: "known")
        let accepting = try server.configured("  UserKnownHostsFile \(known)\n  StrictHostKeyChecking accept-new")
        #expect(try systemSSH(accepting, "echo in").output() == "in\n")
        #expect(try server.scratch.read("known").contains(name))
        withExtendedLifetime(other) {}
    }

    @Test func `failures of the network have their own errors`() throws {
        let server = try Server(), scratch = server.scratch
        let port = try freePort()
        func settings(_ lines: String) throws -> HostSettings {
            try ask(try scratch.write("Host web1\n\(lines)\n  IdentityAgent none\n", to: "other"))
        }
        #expect(
            try complaint(settings("  HostName 127.0.0.1\n  Port \(port)"))
                == .refused(SSHEndpoint(address: "127.0.0.1", port: port)))
        let unknown = try complaint(settings("  HostName no-such-host.invalid"))
        #expect([.unknownName("no-such-host.invalid"), .resolverSilent(name: "no-such-host.invalid")].contains(unknown))
        let silent = try Listener { _ in sleep(3) }
        #expect(
            try complaint(settings("  HostName 127.0.0.1\n  Port \(silent.port)\n  ConnectTimeout 1")) == .timedOut(.handshake))
        let closing = try Listener { _ in }
        let closed = try complaint(settings("  HostName 127.0.0.1\n  Port \(closing.port)"))
        #expect(closed == .closedEarly(printed: ""))
        #expect(closed?.isWorthRetrying == true)
        // Whether ssh can still write to a proxy that has ended, or finds its end first, is chance.
        for close in ["", "exec 0<&-; ", "read line; "] {
            let command = "sh -c '\(close)echo no way >&2; exit 1'"
            let error = try complaint(settings("  ProxyCommand \(command)"))
            #expect(error == .proxyFailed(command: command, printed: "no way"))
            #expect(error?.isWorthRetrying == false)
        }
        let mute = try complaint(settings("  ProxyCommand false"))
        #expect(mute == .proxyFailed(command: "false", printed: ""))
        #expect(mute?.isWorthRetrying == true)
        let modern = try Server("Ciphers chacha20-poly1305@openssh.com")
        guard case .noCommonAlgorithm(let said)? = try complaint(modern.configured("  Ciphers aes128-ctr")) else {
            Issue.record("no such error")
            return
        }
        #expect(said.contains("no matching cipher found"))
        #expect(try systemSSH(modern.configured(), "echo in").output() == "in\n")
    }

    @Test func `an ssh that never connects is given up`() throws {
        let silent = try Listener { _ in sleep(20) }
        let scratch = try Scratch()
        let settings = try ask(
            try scratch.write("Host web1\n  HostName 127.0.0.1\n  Port \(silent.port)\n  ConnectTimeout 60\n", to: "config"))
        #expect(try complaint(settings, deadline: .after(.milliseconds(500))) == .timedOut(.handshake))
        #expect(try processes(with: scratch.path) == [])
    }
}
