import Foundation
import Synchronization
import Testing

@testable import SSH

@Suite(.needsServer) struct HostKeyTests {
    @Test(arguments: ["ed25519", "ecdsa", "rsa"])
    func `every kind of host key is recognized`(type: String) throws {
        let server = try Server(hostKeys: [type])
        let settings = try server.settingsWithKey(known: [type])
        if type == "rsa", Library.rsaSignatures == .sha1 {
            // OpenSSH 8.8 and later do not sign so any more: ssh has to do it.
            #expect(try failure(settings)?.systemSSHMayWork(.none) == true)
        } else {
            #expect(try connect(settings).output(of: "echo in") == "in\n")
        }
        #expect(try systemSSH(server.configured(known: [type]), "echo in").output() == "in\n")
    }

    @Test func `a known key is preferred to the server's choice`() throws {
        let server = try Server(hostKeys: ["ecdsa", "ed25519", "rsa"])
        for type in ["ed25519", "ecdsa"] {
            let settings = try server.settingsWithKey(known: [type])
            #expect(try connect(settings).output(of: "echo in") == "in\n")
        }
    }

    @Test(arguments: [HostSettings.StrictHostKeyChecking.acceptNew, .no])
    func `an unknown key is accepted and remembered`(policy: HostSettings.StrictHostKeyChecking) throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        settings.userKnownHostsFiles = [server.scratch.file("home/known_hosts"), server.scratch.file("other")]
        settings.strictHostKeyChecking = policy
        _ = try connect(settings)

        let key = try server.scratch.publicKey("host_ed25519")
        #expect(
            try server.scratch.read("home/known_hosts")
                == "[127.0.0.1]:\(server.port) ssh-ed25519 \(Base64.encode(key.blob))\n")
        var status = stat()
        stat(server.scratch.file("home"), &status)
        #expect(status.st_mode & 0o777 == 0o700)
        stat(server.scratch.file("home/known_hosts"), &status)
        #expect(status.st_mode & 0o777 == 0o600)

        settings.strictHostKeyChecking = .yes
        _ = try connect(settings)
    }

    @Test func `names are hashed on request, and a missing newline is added`() throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        try server.scratch.write("# mine", to: "known_hosts")
        settings.strictHostKeyChecking = .acceptNew
        settings.knownHostsNames = .hashed
        _ = try connect(settings)
        let text = try server.scratch.read("known_hosts")
        #expect(text.hasPrefix("# mine\n|1|"))
        #expect(!text.contains("127.0.0.1"))
        // ssh-keygen finds it too.
        let found = try output(of: ["ssh-keygen", "-F", "[127.0.0.1]:\(server.port)", "-f", server.scratch.file("known_hosts")])
        #expect(found.contains("ssh-ed25519"))
        settings.strictHostKeyChecking = .yes
        _ = try connect(settings)
    }

    @Test func `the question about an unknown key has ssh-keygen's fingerprint`() throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        try server.scratch.write("", to: "known_hosts")
        let printed = try output(of: ["ssh-keygen", "-l", "-f", server.scratch.file("host_ed25519.pub")])
        let question = HostKeyQuestion(
            host: "[127.0.0.1]:\(server.port)", type: "ssh-ed25519",
            fingerprint: String(printed.split(separator: " ")[1]))
        #expect(try failure(settings) == .hostKeyUnknown(question))

        let asked = Mutex<HostKeyQuestion?>(nil)
        let refusing = Prompts(confirm: { question in
            asked.withLock { $0 = question }
            return .refuse
        })
        #expect(try failure(settings, refusing) == .hostKeyDeclined(question))
        #expect(asked.withLock { $0 } == question)
        #expect(try server.scratch.read("known_hosts") == "")

        _ = try connect(settings, Prompts(confirm: { _ in .accept }))
        settings.strictHostKeyChecking = .yes
        _ = try connect(settings)
    }

    @Test func `an unknown key is refused under yes, with its fingerprint`() throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        try server.scratch.write("", to: "known_hosts")
        settings.strictHostKeyChecking = .yes
        let error = try failure(settings, Prompts(confirm: { _ in .accept }))
        guard case .hostKeyUnknown(let question)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(
            error?.explanation(host: "web1") == """
                You have not accepted the host key of [127.0.0.1]:\(server.port) yet.
                Its key is the ssh-ed25519 key \(question.fingerprint). If that is right, run `ssh web1` once and accept it.
                """)
    }

    @Test(arguments: [HostSettings.StrictHostKeyChecking.yes, .ask, .acceptNew, .no])
    func `a changed key is always refused`(policy: HostSettings.StrictHostKeyChecking) throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        _ = try server.scratch.key("other")
        let path = try server.scratch.write(
            "# one\n[127.0.0.1]:\(server.port) \(try server.scratch.read("other.pub"))", to: "known_hosts")
        settings.strictHostKeyChecking = policy
        let error = try failure(settings, Prompts(confirm: { _ in .accept }))
        guard case .hostKeyChanged(let question, let place)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(place == KnownHostsPlace(path: path, line: 2))
        #expect(
            error?.explanation(host: "web1") == """
                [127.0.0.1]:\(server.port) shows another ssh-ed25519 key than the one in \(path), line 2. Somebody may be \
                listening in, or web1 was reinstalled.
                It shows \(question.fingerprint). If you know that this is right, run
                    ssh-keygen -f \(path) -R '[127.0.0.1]:\(server.port)'
                """)
    }

    @Test func `a host with another known key is not new`() throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        _ = try server.scratch.key("other", type: "ecdsa")
        try server.scratch.write(
            "[127.0.0.1]:\(server.port) \(try server.scratch.read("other.pub"))", to: "known_hosts")
        settings.strictHostKeyChecking = .acceptNew
        guard case .hostKeyUnknown(let question)? = try failure(settings) else { return }
        #expect(question.knownTypes == ["ecdsa-sha2-nistp256"])
    }

    @Test func `a revoked key is refused, and an alias is looked up verbatim`() throws {
        let server = try Server()
        var settings = try server.settingsWithKey()
        let key = try server.scratch.read("host_ed25519.pub")
        try server.scratch.write("web-alias \(key)", to: "known_hosts")
        settings.hostKeyAlias = "web-alias"
        settings.strictHostKeyChecking = .yes
        _ = try connect(settings)
        let path = try server.scratch.write("web-alias \(key)@revoked * \(key)", to: "known_hosts")
        guard case .hostKeyRevoked(_, at: KnownHostsPlace(path: path, line: 2))? = try failure(settings) else {
            Issue.record("not refused")
            return
        }
    }
}
