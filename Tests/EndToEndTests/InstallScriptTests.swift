import Foundation
import Testing

/// `install.sh`, with releases whose program is a script, in the shells of Debian and busybox.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class InstallScriptTests {
    private let site: Site
    private var directory: String { site.directory }
    static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../install.sh").standardizedFileURL.path

    init() throws {
        site = try Site()
        try release("1.0.0", also: "share/doc/deptool/old/notes")
        try release("1.1.0", also: "share/doc/deptool/new")
        try shell("mkdir -p prefix/bin prefix/share/man && echo theirs >prefix/bin/other")
    }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        try Program(
            ["sh", "-euc", script], in: directory,
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory, Tools.mark: directory]
        ).finish().require(0).text
    }

    private func release(_ version: String, also file: String) throws {
        try shell(
            """
            name=deptool-\(version)-linux-$(uname -m) && mkdir -p \(version) "tree/$name/bin" "tree/$name/$(dirname \(file))"
            printf '#!/bin/sh\\necho \(version)\\necho commit\\n' >"tree/$name/bin/deptool" && chmod 755 "tree/$name/bin/deptool"
            echo \(version) >"tree/$name/\(file)"
            tar -C tree -czf "\(version)/$name.tar.gz" "$name" && cd \(version) && sha256sum -- * >SHA256SUMS
            """)
    }

    private func install(_ shell: [String], _ arguments: String...) throws -> Output {
        try Program(
            shell + [Self.script] + arguments + ["--prefix", "\(directory)/prefix"], in: directory,
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", Tools.mark: directory]
        ).finish()
    }

    /// Every path below the prefix, with the content of files.
    private func tree() throws -> String { try shell("cd prefix && find . | sort && find . -type f | sort | xargs cat") }

    static let shells = [["sh"], ["busybox", "sh"]]

    @Test(arguments: shells)
    func `installation, upgrade and removal leave nothing behind`(shell: [String]) throws {
        let before = try tree()
        #expect(try install(shell, "--from", "1.0.0").require(0).text == "Deptool 1.0.0 is installed: \(directory)/prefix/bin/deptool\n")
        #expect(try self.shell("prefix/bin/deptool | head -n 1; cat prefix/share/doc/deptool/old/notes") == "1.0.0\n1.0.0\n")
        try install(shell, "--from", "1.1.0").require(0)
        #expect(try self.shell("prefix/bin/deptool | head -n 1; ls prefix/share/doc/deptool") == "1.1.0\nfiles\nnew\n")
        #expect(try install(shell, "--remove").require(0).text == "Deptool is removed.\n")
        #expect(try tree() == before)
        #expect(try install(shell, "--remove").code == 1)
    }

    @Test(arguments: shells)
    func `a file with another hash than in SHA256SUMS changes nothing`(shell: [String]) throws {
        try install(shell, "--from", "1.0.0").require(0)
        let before = try tree()
        try self.shell("echo more >>1.1.0/deptool-1.1.0-linux-$(uname -m).tar.gz")
        let output = try install(shell, "--from", "1.1.0").require(1)
        #expect(output.errors.hasSuffix(" does not have the SHA-256 in SHA256SUMS. Nothing was changed.\n"))
        #expect(try tree() == before)
    }

    @Test func `only the signature of a named key counts`() throws {
        try shell(
            """
            for name in ours theirs; do ssh-keygen -q -t ed25519 -N '' -C '' -f $name; done
            printf 'deptool %s\\n' "$(cat ours.pub)" >signers
            """)
        let before = try tree()
        #expect(try install(["sh"], "--from", "1.0.0", "--signers", "signers").code == 1)
        try shell("ssh-keygen -q -Y sign -f theirs -n deptool-release 1.0.0/SHA256SUMS")
        let output = try install(["sh"], "--from", "1.0.0", "--signers", "signers").require(1)
        #expect(output.errors.hasSuffix("SHA256SUMS is not signed by a key in signers. Nothing was changed.\n"))
        #expect(try tree() == before)
        try shell("rm 1.0.0/SHA256SUMS.sig && ssh-keygen -q -Y sign -f ours -n deptool-release 1.0.0/SHA256SUMS")
        try install(["sh"], "--from", "1.0.0", "--signers", "signers").require(0)
    }

    @Test func `a list with other paths removes nothing`() throws {
        try install(["sh"], "--from", "1.0.0").require(0)
        try shell("echo bin/../../victim >>prefix/share/doc/deptool/files && echo 1 >victim")
        let output = try install(["sh"], "--remove").require(1)
        #expect(output.errors.hasSuffix("lists 'bin/../../victim', which no release has\n"))
        #expect(try shell("cat victim; prefix/bin/deptool | head -n 1") == "1\n1.0.0\n")
    }

    @Test func `a program that does not run on this machine is not installed`() throws {
        try install(["sh"], "--from", "1.0.0").require(0)
        try shell(
            """
            name=deptool-1.1.0-linux-$(uname -m) && printf '\\177ELF' >tree/$name/bin/deptool
            tar -C tree -czf 1.1.0/$name.tar.gz $name && cd 1.1.0 && sha256sum $name.tar.gz >SHA256SUMS
            """)
        #expect(try install(["sh"], "--from", "1.1.0").require(1).errors.contains("Nothing was changed."))
        #expect(try shell("prefix/bin/deptool | head -n 1") == "1.0.0\n")
    }
}
