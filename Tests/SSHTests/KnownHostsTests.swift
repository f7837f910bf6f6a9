import Testing

@testable import SSH

@Suite struct KnownHostsTests {
    private let key: PublicKey
    private let other: PublicKey
    private let ecdsa: PublicKey

    init() throws {
        func key(_ type: String, _ fill: UInt8) throws -> PublicKey {
            var writer = SSHWireWriter()
            writer.string(type.utf8)
            writer.string([UInt8](repeating: fill, count: 32))
            return try #require(PublicKey(blob: writer.bytes))
        }
        self.key = try key("ssh-ed25519", 1)
        other = try key("ssh-ed25519", 2)
        ecdsa = try key("ecdsa-sha2-nistp256", 3)
    }

    private func known(_ text: String) -> KnownHosts {
        var known = KnownHosts()
        known.parse(Array(text.utf8), path: "f")
        return known
    }

    private func text(_ key: PublicKey) -> String { "\(key.type) \(Base64.encode(key.blob))" }

    @Test func `names, patterns and negation`() {
        let hosts = known("web*.example.com,!web3.example.com,?b,[db]:2222 \(text(key)) a comment\n")
        for name in ["web1.example.com", "web.example.com", "db", "[db]:2222"] {
            #expect(hosts.lookup(name, key) == .known, "\(name)")
        }
        for name in ["web3.example.com", "xdb", "[db]:22", "web1.example.org", ""] {
            #expect(hosts.lookup(name, key) == .unknown(knownTypes: []), "\(name)")
        }
    }

    @Test func `names match in any case`() {
        #expect(known("Web1.Example.COM \(text(key))").lookup("web1.example.com", key) == .known)
    }

    @Test func `a host may have several keys, and a missing one is unknown`() {
        let hosts = known("# c\n\n a \(text(other))\r\na \(text(ecdsa))\n")
        #expect(hosts.lookup("a", key) == .changed(KnownHostsPlace(path: "f", line: 3)))
        #expect(hosts.lookup("a", ecdsa) == .known)
        #expect(hosts.types(of: "a") == ["ssh-ed25519", "ecdsa-sha2-nistp256"])
        #expect(known("a \(text(ecdsa))").lookup("a", key) == .unknown(knownTypes: ["ecdsa-sha2-nistp256"]))
        #expect(known("a \(text(other))\na \(text(key))").lookup("a", key) == .known)
    }

    @Test func `revoked wins, and certificate authorities are skipped`() {
        let hosts = known("a \(text(key))\n@revoked * \(text(key))\n@cert-authority * \(text(other))\n")
        #expect(hosts.lookup("a", key) == .revoked(KnownHostsPlace(path: "f", line: 2)))
        #expect(hosts.lookup("b", other) == .unknown(knownTypes: []))
    }

    @Test(arguments: [
        "", "a", "a ssh-ed25519", "a ssh-ed25519 !!!", "a ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAAA==", "|1|x|y ssh-ed25519 AAAA",
        "@unknown a ssh-ed25519 AAAA", "|2|AAAA|AAAA ssh-ed25519 AAAA", "\0\u{FF}\n|||||",
    ])
    func `malformed lines are skipped`(line: String) {
        #expect(known("\(line)\na \(text(key))").lookup("a", key) == .known)
    }

    @Test func `hashed names are found, and agree with ssh-keygen`() throws {
        let scratch = try Scratch()
        let path = try scratch.write("web1,[db]:2222 \(text(key))\n", to: "known_hosts")
        try output(of: ["ssh-keygen", "-q", "-H", "-f", path])
        let text = try scratch.read("known_hosts")
        #expect(!text.contains("web1"))
        let hosts = known(text)
        #expect(hosts.lookup("web1", key) == .known)
        #expect(hosts.lookup("[db]:2222", key) == .known)
        #expect(hosts.lookup("db", key) == .unknown(knownTypes: []))

        let ours = KnownHosts.line("web2", key, salt: [UInt8](1...20))
        #expect(known(ours).lookup("web2", key) == .known)
        #expect(known(ours).lookup("web1", key) == .unknown(knownTypes: []))
    }

    @Test func `a pattern of many stars takes no time`() {
        let pattern = String(repeating: "*a", count: 500) + "b"
        let hosts = known("\(pattern) \(text(key))")
        #expect(hosts.lookup(String(repeating: "a", count: 2000), key) == .unknown(knownTypes: []))
    }

    @Test func `Base64 decodes what it encoded`() {
        for count in 0..<50 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes).utf8) == bytes)
            #expect(Base64.decode(Base64.encode(bytes, .bare).utf8) == bytes)
        }
        #expect(Base64.encode(Array("fooba".utf8)) == "Zm9vYmE=")
        #expect(Base64.decode("Zm9v=YmE".utf8) == nil)
    }
}
