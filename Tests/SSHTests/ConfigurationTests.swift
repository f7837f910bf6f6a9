import Foundation
import Testing

@testable import SSH

/// Deptool follows ssh's configuration, over libssh2 and over ssh.
@Suite(.needsServer) struct ConfigurationTests {
    private func expectLogin(_ settings: HostSettings, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try connect(settings).output(of: "echo in") == "in\n", sourceLocation: sourceLocation)
        #expect(try systemSSH(settings, "echo in").output() == "in\n", sourceLocation: sourceLocation)
    }

    @Test func `aliases, Include and Match lead to the host`() throws {
        let server = try Server(), scratch = server.scratch
        _ = try server.settingsWithKey()
        try scratch.write(
            """
            Match originalhost web1 exec "test -n '%n'"
              HostName 127.0.0.1
              Port \(server.port)
            Match final host 127.0.0.1
              IdentityFile \(scratch.file("id_ed25519"))
            """, to: "included")
        let file = try scratch.write(
            """
            Include \(scratch.file("includ"))*
            Host web*
              UserKnownHostsFile \(scratch.file("known_hosts"))
              IdentityAgent none

            """, to: "config")
        let settings = try ask(file)
        #expect(settings.port == server.port)
        try expectLogin(settings)
    }

    @Test func `the global file counts for a host`() throws {
        let server = try Server()
        let known = server.scratch.file("known_hosts")
        try expectLogin(
            server.configured("  UserKnownHostsFile /nowhere\n  GlobalKnownHostsFile /nowhere2 \(known)"))
    }

    @Test func `a path with spaces is found`() throws {
        let server = try Server()
        _ = try server.settingsWithKey()
        let path = server.scratch.file("known hosts of mine")
        try FileManager.default.copyItem(atPath: server.scratch.file("known_hosts"), toPath: path)
        let settings = try server.configured("  UserKnownHostsFile /nowhere \"\(path)\" /elsewhere")
        #expect(settings.userKnownHostsFiles == ["/nowhere", path, "/elsewhere"])
        try expectLogin(settings)
    }

    @Test func `an alias stands for the host in known_hosts`() throws {
        let server = try Server()
        _ = try server.settingsWithKey()
        let key = try server.scratch.read("host_ed25519.pub")
        try server.scratch.write("the-alias \(key)", to: "aliased")
        try expectLogin(server.configured("  HostKeyAlias the-alias\n  UserKnownHostsFile \(server.scratch.file("aliased"))"))
    }

    @Test func `settings beyond libssh2 are a reason for ssh`() throws {
        let server = try Server()
        for (line, keyword) in [
            ("PKCS11Provider /nowhere", "PKCS11Provider"), ("BindAddress 127.0.0.1", "BindAddress"),
            ("VerifyHostKeyDNS yes", "VerifyHostKeyDNS"), ("PreferredAuthentications password", "PreferredAuthentications"),
            ("PubkeyAuthentication no", "PubkeyAuthentication"), ("KnownHostsCommand /bin/true", "KnownHostsCommand"),
        ] {
            #expect(try server.configured("  \(line)").reasonForSystemSSH(.allowed) == .settings([keyword]))
        }
        #expect(try server.configured().reasonForSystemSSH(.allowed) == nil)
    }
}
