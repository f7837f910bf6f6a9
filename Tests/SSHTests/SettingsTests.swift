import Foundation
import Model
import Testing

@testable import SSH

@Suite struct SettingsTests {
    private let local = LocalUser(name: "ada", home: "/home/ada", id: 1000, machine: "lap.example") { name in
        ["HOME": "/home/ada", "SSH_AUTH_SOCK": "/run/agent", "MINE": "/run/mine"][name]
    }

    private func settings(_ printed: String) throws(SSHError) -> HostSettings {
        guard let name = Hostname("web1") else { throw .interrupted }
        return try HostSettings(name: name, printed: "hostname 10.0.0.1\nuser root\n" + printed, local: local)
    }

    @Test func `the settings of OpenSSH 9 for an unconfigured host are read`() throws {
        let settings = try settings(
            """
            host web1
            port 22
            addressfamily any
            hashknownhosts no
            identitiesonly no
            stricthostkeychecking ask
            identityfile ~/.ssh/id_rsa
            identityfile ~/.ssh/id_ed25519
            globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
            userknownhostsfile /home/ada/.ssh/known_hosts /home/ada/.ssh/known_hosts2
            connecttimeout none
            """)
        var expected = HostSettings(name: try #require(Hostname("web1")), hostName: "10.0.0.1", user: "root")
        expected.identityFiles = ["/home/ada/.ssh/id_rsa", "/home/ada/.ssh/id_ed25519"]
        expected.agent = .path("/run/agent")
        expected.userKnownHostsFiles = ["/home/ada/.ssh/known_hosts", "/home/ada/.ssh/known_hosts2"]
        expected.globalKnownHostsFiles = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
        #expect(settings == expected)
        #expect(settings.knownHostsName == "10.0.0.1")
    }

    @Test(
        arguments: [
            ("", .path("/run/agent")), ("identityagent none", .none), ("identityagent SSH_AUTH_SOCK", .path("/run/agent")),
            ("identityagent $MINE", .path("/run/mine")), ("identityagent $NOTHING", .none),
            ("identityagent ~/agent", .path("/home/ada/agent")), ("identityagent ${HOME}/a", .path("/home/ada/a")),
            ("identityagent /run/%u-%i", .path("/run/ada-1000")),
        ] as [(String, HostSettings.AgentSocket)])
    func `the agent's socket is found`(line: String, socket: HostSettings.AgentSocket) throws {
        #expect(try settings(line).agent == socket)
    }

    @Test(
        arguments: [
            ("no", .no), ("off", .no), ("false", .no), ("yes", .yes), ("true", .yes), ("ask", .ask),
            ("accept-new", .acceptNew),
        ] as [(String, HostSettings.StrictHostKeyChecking)])
    func `every spelling of StrictHostKeyChecking is read`(value: String, meaning: HostSettings.StrictHostKeyChecking) throws {
        #expect(try settings("stricthostkeychecking \(value)").strictHostKeyChecking == meaning)
    }

    @Test func `tokens in paths are expanded`() throws {
        let settings = try settings(
            "port 2222\nidentityfile ~/x y\nidentityfile %d/%h-%n-%p-%r-%u-%l-%L-%%\nidentityfile /%C\nidentityfile none")
        #expect(settings.identityFiles == ["/home/ada/x y", "/home/ada/10.0.0.1-web1-2222-root-ada-lap.example-lap-%"])
        #expect(settings.knownHostsName == "[10.0.0.1]:2222")
    }

    @Test func `the route to a host is direct, a command or jump hosts`() throws {
        #expect(try settings("proxyjump none").route == .direct)
        #expect(try settings("proxycommand nc -X %r%% %h %p # x").route == .command("nc -X root% 10.0.0.1 22 # x"))
        #expect(try settings("proxyjump u@j1:2222,[::1]:22").route == .jump(["u@j1:2222", "[::1]:22"]))
        for line in ["proxyjump -oProxyCommand=x", "proxyjump a@-b", "proxyjump a:0", "proxycommand %z", "proxyjump ,"] {
            #expect(throws: SSHError.self) { _ = try settings(line) }
        }
        #expect(throws: SSHError.settingInvalid(keyword: "proxycommand", value: "nc %h")) {
            _ = try HostSettings(
                name: try #require(Hostname("web1")), printed: "hostname $(reboot)\nproxycommand nc %h", local: local)
        }
    }

    @Test func `a connection behind a jump host has time for the login there`() throws {
        #expect(try settings("port 22").connectLimit == .seconds(10))
        #expect(try settings("proxyjump j1").connectLimit == .seconds(30))
        #expect(try settings("proxycommand nc %h %p").connectLimit == .seconds(10))
        #expect(try settings("proxyjump j1\nconnecttimeout 7").connectLimit == .seconds(7))
    }

    @Test func `a jump host is reached as by OpenSSH`() throws {
        var settings = try settings("proxyjump u@j1:2222,w@[::1]:23\nport 24")
        settings.configurationFile = "/c"
        guard case .jump(let hosts) = settings.route else { return }
        #expect(
            ProxyCommand.jumpArguments(hosts, settings) == [
                "ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-o", "ControlMaster=no", "-F",
                "/c", "-J", "u@j1:2222", "-l", "w", "-p", "23", "-W",
                "[10.0.0.1]:24", "--", "::1",
            ])
    }

    @Test(arguments: ["port 0", "port x", "stricthostkeychecking maybe", "addressfamily ipx", "connecttimeout soon"])
    func `an invalid value is an error`(line: String) {
        #expect(throws: SSHError.self) { _ = try settings(line) }
    }

    @Test func `settings come from ssh -G`() throws {
        let scratch = try Scratch()
        let file = try scratch.write(
            """
            Host web1
              HostName ::1
              User deploy
              Port 2222
              IdentityFile "\(scratch.path)/a b"
              IdentityAgent none
              IdentitiesOnly yes
              HostKeyAlias Alias
              UserKnownHostsFile /x ~/y
              StrictHostKeyChecking accept-new
              HashKnownHosts yes
              ConnectTimeout 7
              AddressFamily inet6
              ControlPath /run/%n
              ProxyJump j1,u@j2:23
              CertificateFile /cert

            """, to: "config")
        let settings = try HostSettings.ask(
            for: try #require(Hostname("web1")), configurationFile: file, local: .current(), interrupt: Interrupt(),
            deadline: .after(.seconds(10)))
        #expect(settings.hostName == "::1")
        #expect(settings.user == "deploy")
        #expect(settings.port == 2222)
        #expect(settings.identityFiles == ["\(scratch.path)/a b"])
        #expect(settings.agent == .none)
        #expect(settings.identities == .onlyConfigured)
        #expect(settings.knownHostsName == "alias")
        #expect(settings.userKnownHostsFiles.first == "/x")
        #expect(settings.strictHostKeyChecking == .acceptNew)
        #expect(settings.knownHostsNames == .hashed)
        #expect(settings.connectTimeout == .seconds(7))
        #expect(settings.addressFamily == .inet6)
        #expect(settings.controlPath == "/run/web1")
        #expect(settings.route == .jump(["j1", "u@j2:23"]))
        #expect(settings.unsupported == ["CertificateFile"])
    }

    @Test func `settings beyond libssh2 are a reason for ssh, and ssh's defaults are not`() throws {
        let scratch = try Scratch()
        func settings(_ lines: String) throws -> HostSettings {
            try HostSettings.ask(
                for: try #require(Hostname("web1")), configurationFile: try scratch.write("Host *\n\(lines)\n", to: "config"),
                local: .current(), interrupt: Interrupt(), deadline: .after(.seconds(10)))
        }
        #expect(try settings("").unsupported == [])
        for (lines, keyword) in [
            ("RevokedHostKeys /krl", "RevokedHostKeys"), ("RequiredRSASize 3072", "RequiredRSASize"),
            ("IdentityFile ~/.ssh/%C", "IdentityFile"),
        ] {
            #expect(try settings(lines).unsupported == [keyword])
        }
        let algorithms = try settings(
            """
            KexAlgorithms curve25519-sha256
            HostKeyAlgorithms rsa-sha2-512
            Ciphers aes256-ctr
            MACs hmac-sha2-512
            PubkeyAcceptedAlgorithms ssh-ed25519
            """
        ).algorithms
        #expect(
            [algorithms.keyExchange, algorithms.hostKeys, algorithms.ciphers, algorithms.macs, algorithms.userKeys]
                == ["curve25519-sha256", "rsa-sha2-512", "aes256-ctr", "hmac-sha2-512", "ssh-ed25519"])
        #expect(algorithms.ciphersForLibrary == "aes256-ctr")
        #expect(try settings("").algorithms.ciphersForLibrary?.hasPrefix("aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-") == true)
        #expect(try settings("Ciphers ^aes256-ctr").algorithms.ciphersForLibrary?.hasPrefix("aes256-ctr,") == true)
        #expect(try HostKeyCheck(settings("HostKeyAlgorithms rsa-sha2-512,ssh-ed25519")).preferredTypes == ["ssh-ed25519", "rsa-sha2-512"])
        // Its standard input stays that of the agent.
        let arguments = SystemSSH.arguments(try settings("StdinNull yes"), .allowed, canAsk: false)
        #expect(arguments.contains("StdinNull=no") && arguments.contains("SessionType=default"))
        #expect(
            !SystemSSH.arguments(HostSettings(name: try #require(Hostname("a")), hostName: "a", user: "b"), .allowed, canAsk: false)
                .contains("StdinNull=no"))
    }

    @Test func `a broken configuration is shown in ssh's words`() throws {
        let scratch = try Scratch()
        let file = try scratch.write("Bogus 1\n", to: "config")
        let error = #expect(throws: SSHError.self) {
            _ = try HostSettings.ask(
                for: try #require(Hostname("web1")), configurationFile: file, local: .current(), interrupt: Interrupt(),
                deadline: .after(.seconds(10)))
        }
        guard case .configurationRefused(let printed)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(printed.contains("bogus"))
    }
}
