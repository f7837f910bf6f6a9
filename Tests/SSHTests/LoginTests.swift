import Foundation
import Synchronization
import Testing

@testable import SSH

@Suite(.needsServer) struct LoginTests {
    @Test(
        arguments: [
            ("ed25519", nil), ("ecdsa", nil), ("ecdsa", "PEM"), ("ecdsa", "PKCS8"),
        ] as [(String, String?)])
    func `a key in a file logs in`(type: String, format: String?) throws {
        let server = try Server()
        var settings = try server.settings()
        let key = try server.scratch.key("id", type: type, format: format)
        try server.authorize("\(key).pub")
        settings.identityFiles = [server.scratch.file("missing"), key]
        #expect(try connect(settings).output(of: "echo in") == "in\n")
    }

    @Test(arguments: ["ed25519", "ecdsa", "rsa"])
    func `a key of the agent logs in`(type: String) throws {
        let server = try Server(), agent = try TestAgent()
        let key = try server.scratch.key("id", type: type)
        try server.authorize("\(key).pub")
        try agent.add(key)
        var settings = try server.settings()
        settings.agent = .path(agent.socket)
        #expect(try connect(settings).output(of: "echo in") == "in\n")
    }

    @Test func `the sixth key of the agent logs in, the seventh does not`() throws {
        let server = try Server("MaxAuthTries 6"), agent = try TestAgent()
        var settings = try server.settings()
        settings.agent = .path(agent.socket)
        for number in 1...5 { try agent.add(try server.scratch.key("wrong\(number)")) }
        let right = try server.scratch.key("right")
        try agent.add(right)
        try server.authorize("\(right).pub")
        _ = try connect(settings)

        try agent.change(["-q", "-d", right])
        try agent.add(try server.scratch.key("wrong6"))
        try agent.add(right)
        let offers = (1...6).map {
            Offer(source: .agent(comment: "wrong\($0)"), type: "ssh-ed25519", outcome: .refused)
        }
        guard case .loginFailed(let failure)? = try failure(settings) else { return }
        #expect(failure.offers == offers)
        #expect(failure.end != .allTried)

        // Named as an identity, it comes first.
        settings.identityFiles = ["\(right).pub"]
        _ = try connect(settings)
        settings.identities = .onlyConfigured
        _ = try connect(settings)
    }

    @Test func `IdentitiesOnly withholds the agent's other keys`() throws {
        let server = try Server(), agent = try TestAgent()
        var settings = try server.settings()
        let key = try server.scratch.key("id")
        try server.authorize("\(key).pub")
        try agent.add(key)
        settings.agent = .path(agent.socket)
        settings.identities = .onlyConfigured
        #expect(
            try failure(settings) == .loginFailed(LoginFailure(user: settings.user, offers: [], end: .allTried, methods: ["publickey"])))
    }

    @Test(arguments: [("ed25519", nil), ("ecdsa", "PEM")] as [(String, String?)])
    func `a passphrase is asked for until it is right`(type: String, format: String?) throws {
        let server = try Server()
        var settings = try server.settings()
        let key = try server.scratch.key("id", type: type, passphrase: "opensesame", format: format)
        try server.authorize("\(key).pub")
        settings.identityFiles = [key]

        let asked = Mutex<[String]>([])
        let prompts = Prompts(passphrase: { path, _ in
            asked.withLock { asked in
                asked.append(path)
                return asked.count == 2 ? Secret("opensesame") : Secret("wrong")
            }
        })
        #expect(try connect(settings, prompts).output(of: "echo in") == "in\n")
        #expect(asked.withLock { $0 } == [key, key])

        let type = try server.scratch.publicKey("id").type
        let wrong = Offer(source: .file(path: key), type: type, outcome: .wrongPassphrase)
        #expect(
            try failure(settings, Prompts(passphrase: { _, _ in Secret("wrong") }))
                == .loginFailed(LoginFailure(user: settings.user, offers: [wrong], end: .allTried, methods: ["publickey"])))
        let none = Offer(source: .file(path: key), type: type, outcome: .noPassphrase)
        #expect(
            try failure(settings) == .loginFailed(LoginFailure(user: settings.user, offers: [none], end: .allTried, methods: ["publickey"]))
        )
    }

    @Test func `a key that the server refuses needs no passphrase`() throws {
        let server = try Server()
        var settings = try server.settings()
        settings.identityFiles = [try server.scratch.key("id", passphrase: "opensesame")]
        let prompts = Prompts(passphrase: { _, _ in
            Issue.record("asked")
            return nil
        })
        guard case .loginFailed(let failure)? = try failure(settings, prompts) else { return }
        #expect(failure.offers.map(\.outcome) == [.refused])
    }

    @Test func `a refused login names every key with a reason`() throws {
        let server = try Server()
        var settings = try server.settings()
        let rsa = try server.scratch.key("id_rsa", type: "rsa"), wrong = try server.scratch.key("id_ed25519")
        let broken = try server.scratch.write("not a key\n", to: "id_broken")
        try server.authorize("\(rsa).pub")
        settings.identityFiles = [rsa, wrong, broken]
        let error = try failure(settings)
        #expect(error?.phrase == "login failed")
        #expect(
            error?.explanation(host: "web1") == """
                web1 does not let \(settings.user) in.
                    \(wrong) (ssh-ed25519): refused
                    \(broken): cannot be read: not a private key
                    \(rsa) (ssh-rsa): refused, perhaps because of its SHA-1 signature
                Deptool's SSH library (libssh2 before 1.11) signs with RSA keys in a way that OpenSSH 8.8 and later \
                refuse. Add the key to ssh-agent, or use an Ed25519 key.
                """)
        #expect(error?.systemSSHMayWork(.none) == true)
    }

    @Test func `a login without any key has an explanation`() throws {
        let settings = try Server().settings()
        #expect(throws: SSHError.self) { _ = try connect(settings) }
        let failure = SSHError.loginFailed(LoginFailure(user: "root", offers: [], end: .allTried))
        #expect(
            failure.explanation(host: "web1") == """
                web1 does not let root in. There is no key to log in with: no agent holds one, and none of the \
                identity files exists.
                """)
    }
}
