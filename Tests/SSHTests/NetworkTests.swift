import Foundation
import Model
import Testing

@testable import SSH

@Suite struct NetworkTests {
    private func settings(port: UInt16) throws -> HostSettings {
        var settings = HostSettings(name: try #require(Hostname("web1")), hostName: "127.0.0.1", user: "root")
        settings.port = port
        return settings
    }

    @Test func `a port without a listener is refused`() throws {
        let port = try freePort()
        let error = try failure(settings(port: port))
        #expect(error == .refused(SSHEndpoint(address: "127.0.0.1", port: port)))
        #expect(error?.phrase == "connection refused")
        #expect(
            error?.explanation(host: "web1") == """
                127.0.0.1:\(port) refuses connections. Either sshd does not run on web1, or it listens on another port: \
                give web1 a Port in ~/.ssh/config.
                """)
    }

    @Test func `a silent server times out`() throws {
        let listener = try Listener { _ in sleep(2) }
        var settings = try settings(port: listener.port)
        settings.connectTimeout = .milliseconds(300)
        #expect(try failure(settings) == .timedOut(.handshake))
    }

    @Test func `a server that does not speak SSH is reported`() throws {
        let listener = try Listener { client in
            let text = Array("220 mail.example ESMTP\r\n".utf8)
            _ = send(client, text, text.count, Int32(MSG_NOSIGNAL))
            sleep(12)
        }
        var settings = try settings(port: listener.port)
        settings.connectTimeout = .seconds(3)
        let error = try failure(settings)
        #expect(error == .closedEarly(printed: "220 mail.example ESMTP\r\n"))
        #expect(
            error?.explanation(host: "web1") == """
                The server at the address of web1 is not an SSH server. It sent:
                    220 mail.example ESMTP
                Check HostName and Port in ~/.ssh/config.
                """)
    }

    @Test func `garbage from a server is reported`() throws {
        let endless = try Listener { client in
            let garbage = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 7919) }
            for _ in 0..<1000 where send(client, garbage, garbage.count, Int32(MSG_NOSIGNAL)) <= 0 { return }
        }
        guard case .closedEarly(let printed)? = try failure(settings(port: endless.port)) else {
            Issue.record("no such error")
            return
        }
        #expect(printed.unicodeScalars.count <= 1024)
        let late = try Listener { client in
            let garbage = Array("SSH-2.0-x\r\n".utf8) + (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 7919) }
            for _ in 0..<1000 where send(client, garbage, garbage.count, Int32(MSG_NOSIGNAL)) <= 0 { return }
        }
        // In words, whatever number the library has for it.
        let text = try #require(try failure(settings(port: late.port))).explanation(host: "web1")
        #expect(text.contains(/[a-z]{4}/) && !text.contains(/-[0-9]/), "\(text)")
    }

    @Test func `a server that hangs up at once is reported`() throws {
        let listener = try Listener { _ in }
        #expect(try failure(settings(port: listener.port)) == .closedEarly(printed: ""))
    }

    @Test func `a name without an address is reported`() throws {
        var settings = try settings(port: 22)
        settings.hostName = "no-such-host.invalid"
        let error = try failure(settings)
        #expect([.unknownName("no-such-host.invalid"), .resolverSilent(name: "no-such-host.invalid")].contains(error))
    }

    @Test func `only addresses of the configured family are used`() throws {
        var settings = try settings(port: 22)
        settings.addressFamily = .inet6
        #expect(try failure(settings) == .unknownName("127.0.0.1"))
    }

    @Test func `an interrupt ends a connection that waits`() throws {
        let listener = try Listener { _ in sleep(2) }
        let interrupt = try Interrupt()
        interrupt.fire()
        let settings = try settings(port: listener.port)
        #expect(throws: SSHError.interrupted) {
            _ = try Connection(to: settings, prompts: .none, interrupt: interrupt, deadline: .never)
        }
    }

    @Test func `the error of a failed proxy command is quoted`() throws {
        var settings = try settings(port: 22)
        settings.route = .command("sh -c 'echo no way >&2; exit 1'")
        let error = try failure(settings)
        #expect(error == .proxyFailed(command: "sh -c 'echo no way >&2; exit 1'", printed: "no way"))
        #expect(
            error?.explanation(host: "web1") == """
                The proxy of web1 failed. Output of `sh -c 'echo no way >&2; exit 1'`:
                    no way
                """)
    }
}

@Suite(.needsServer) struct ProxyTests {
    @Test func `a proxy command carries the connection, and ends with it`() throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        let mark = server.scratch.file("pid")
        let program = try server.scratch.write(
            """
            #!/bin/bash
            exec 3<>/dev/tcp/$1/$2
            echo a word to the operator >&2
            echo $$ >\(mark)
            cat <&3 & cat >&3
            kill $!
            """, to: "proxy", mode: 0o755)
        // Through bash: the program itself may be open for writing still in what another test starts.
        settings.route = .command("bash \(program) 127.0.0.1 \(server.port)")
        #expect(try connect(settings).output(of: "echo in") == "in\n")
        // By itself or by a signal, depending on the load of the machine.
        let text = try String(contentsOfFile: mark, encoding: .utf8)
        let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        try waitUntil { kill(pid, 0) != 0 }
    }

    @Test func `a jump host carries the connection`() throws {
        let server = try Server(), jump = try Server()
        let entries = [try jump.entry("jump"), try server.entry("web1", "ProxyJump jump")]
        let configuration = try server.scratch.write(entries.joined() + "Host *\n  IdentityAgent none\n", to: "config")
        let settings = try HostSettings.ask(
            for: try #require(Hostname("web1")), configurationFile: configuration, local: .current(),
            interrupt: Interrupt(), deadline: .after(.seconds(10)))
        #expect(settings.route == .jump(["jump"]))
        #expect(try connect(settings).output(of: "echo in") == "in\n")
    }

    @Test func `the error of a missing jump host is quoted`() throws {
        var settings = try Server().settingsWithKey()
        let port = try freePort()
        settings.configurationFile = "none"
        settings.route = .jump(["127.0.0.1:\(port)"])
        guard case .proxyFailed(_, let printed)? = try failure(settings) else {
            Issue.record("no such error")
            return
        }
        #expect(printed.contains("Connection refused"))
    }
}

@Suite(.needsServer) struct RoundTripTests {
    @Test func `a command's first output arrives after eight round trips`() throws {
        let server = try Server()
        let relay = try Relay(to: server.port)
        var settings = try server.settingsWithKey()
        settings.port = relay.port
        settings.hostKeyAlias = "[127.0.0.1]:\(server.port)"
        let channel = try connect(settings).start("echo hello", deadline: .after(.seconds(10)))
        #expect(try channel.read(max: 100, deadline: .after(.seconds(10))) == Array("hello\n".utf8))
        // One more for TCP.
        #expect(relay.trips.value + 1 <= 8)
    }

    @Test func `a server without common algorithms is reported as such`() throws {
        let server = try Server("Ciphers chacha20-poly1305@openssh.com")
        let error = try failure(server.settingsWithKey())
        #expect(error == .noCommonAlgorithm(said: ""))
        #expect(error?.systemSSHMayWork(.none) == true)
    }
}
