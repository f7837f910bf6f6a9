import Foundation
import Testing

/// The operator's side of secrets, without connections to hosts.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class SecretCommandTests {
    let site: Site
    let cluster: Cluster
    /// In nothing that anybody but the host and the operators may see.
    let marker = "MARKER-\(UInt64.random(in: 0...(.max)))"

    /// Ann operates web1 and web2. A connection to a host leaves a file `contacted`, and each query of ssh's settings a line in
    /// `queries`.
    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        for host in ["web1", "web2"] { try cluster.write("\(host)/shop/shop.conf", "port 80\n") }
        try cluster.run(
            """
            mkdir -m 700 .ssh bin
            for key in web1 web2; do ssh-keygen -q -t ed25519 -N '' -C $key -f $key; done
            for key in ann bob; do ssh-keygen -q -t ed25519 -N '' -C $key@laptop -f $key; done
            { echo "web1 $(cut -d ' ' -f 1,2 web1.pub)"; echo "web2 $(cut -d ' ' -f 1,2 web2.pub)"; } >known
            ssh-keygen -q -H -f known 2>/dev/null; rm known.old
            cp ann .ssh/id_ed25519
            printf 'Host *\\n  UserKnownHostsFile %s/known\\n  GlobalKnownHostsFile none\\n  ProxyCommand touch %s/contacted\\n' "$PWD" "$PWD" >ssh_config
            printf '#!/bin/sh\\necho query >>%s/queries\\nPATH=${PATH#*:}\\nexec ssh "$@"\\n' "$PWD" >bin/ssh
            printf '#!/bin/sh\\ncommand=$1; shift; exec deptool secret "$command" --ssh-config ssh_config "$@"\\n' >bin/secret
            chmod +x bin/ssh bin/secret
            cp ann.pub prod/recipients
            ln -s \(Tools.deptool) bin/deptool
            """)
        cluster.environment["PATH"] = "\(cluster.directory)/bin:\(cluster.environment["PATH"] ?? "")"
    }

    func shell(_ script: String, within limit: Duration = .seconds(60)) throws -> Output {
        try cluster.startScript(script).finish(within: limit)
    }

    private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(cluster.directory)/\(name)") }
    private var queries: Int {
        ((try? String(contentsOfFile: "\(cluster.directory)/queries", encoding: .utf8)) ?? "").split(separator: "\n").count
    }

    @Test func `a value goes from a pipe to a file that the host and the operators can open`() throws {
        let output = try shell("printf '%s\\n' \(marker) | secret set web1/shop/db-password").require(0)
        expect(output.text, is: "Sealed prod/web1/shop/secrets/db-password.age for web1 and ann@laptop.\n")
        #expect(try shell("secret show web1/shop/db-password").require(0).text == marker + "\n")
        #expect(try shell("secret show web1/shop/db-password -i web1").require(0).text == marker + "\n")
        #expect(try shell("stat -c %a prod/web1/shop/secrets prod/web1/shop/secrets/*").text == "755\n644\n")
        let other = try shell("secret show web1/shop/db-password -i bob")
        #expect(other.code == 1)
        expect(
            other.errors,
            is: """
                Error: no key here opens prod/web1/shop/secrets/db-password.age
                bob: it is not sealed for this key. Name a private key with `-i`; keys that only ssh-agent holds, and security keys (FIDO), cannot open.

                """)
        #expect(!exists("contacted"))
    }

    @Test func `many hosts get the value, each sealed for itself, or none does`() throws {
        let output = try shell("printf \(marker) | secret set 'web*/shop/api-key'").require(0)
        expect(
            output.text,
            is: """
                Sealed prod/web1/shop/secrets/api-key.age for web1 and ann@laptop.
                Sealed prod/web2/shop/secrets/api-key.age for web2 and ann@laptop.

                """)
        #expect(try shell("secret show web2/shop/api-key -i web2").text == marker)
        #expect(try shell("secret show web2/shop/api-key -i web1").code == 1)
        // The third host was never seen.
        try cluster.write("web3/shop/shop.conf", "port 80\n")
        let refused = try shell("printf \(marker) | secret set 'web*/shop/other'")
        #expect(refused.code == 1)
        expect(
            refused.errors,
            is: """
                Error: the ed25519 key of web3 is not in known_hosts, so nothing can be sealed for it
                Run `ssh -o HostKeyAlgorithms=ssh-ed25519 web3` once, and compare the fingerprint that it shows. A host without such a key gets another with `deptool secret enroll web3`.

                """)
        #expect(!exists("prod/web1/shop/secrets/other.age"))
        #expect(!exists("contacted"))
    }

    @Test func `invalid names, patterns and values are refused`() throws {
        for (script, expected) in [
            ("secret set web1", "'web1' does not name a secret"), ("secret set web9/shop/x", "no host matches 'web9'"),
            ("secret set web1/shopp/x", "there is no app 'shopp' on web1"),
            ("secret set web1/shop/../x", "'web1/shop/../x' does not name a secret"),
            ("secret set web1/shop/.x", "'.x' is not a name for a secret"),
            ("secret set web1/shop/x.age", "'x.age' is not a name for a secret"),
            ("secret show web1/shop/x", "no secret matches 'web1/shop/x'"),
            ("secret set web1/shop/x </dev/null", "standard input is empty"),
            ("head -c 1000000 /dev/zero | secret set web1/shop/x", "a secret has at most"),
            ("secret generate web1/shop/x --alphabet aa", "'--alphabet' takes at least two different characters"),
        ] {
            let output = try shell(script.contains("|") || script.contains("<") ? script : "printf value | " + script)
            #expect(output.code == 1, "\(script)")
            #expect(output.errors.contains(expected), "\(script): \(output.errors)")
        }
        #expect(!exists("prod/web1/shop/secrets"))
    }

    @Test func `a symlink is never followed`() throws {
        for make in [
            "ln -s ../../../outside prod/web1/shop/secrets",
            "mkdir -p prod/web1/shop/secrets && ln -s ../../../../outside/x.age prod/web1/shop/secrets/x.age",
        ] {
            try cluster.run("rm -rf prod/web1/shop/secrets outside; mkdir outside; \(make)")
            let output = try shell("printf value | secret set web1/shop/x")
            #expect(output.code == 1 && output.errors.contains("is a symlink"), "\(output)")
            #expect(try shell("ls outside").text == "")
        }
    }

    @Test func `an app that hosts share has a secret where each host has a directory of its own`() throws {
        try cluster.run("rm -rf shared prod/web2/shop; mkdir shared; mv prod/web1/shop shared/shop; ln -s ../../shared/shop prod/web1/shop")
        let refused = try shell("printf value | secret set web1/shop/x")
        #expect(refused.errors.contains("prod/web1/shop is a symlink, and a secret belongs to one host"), "\(refused)")
        try cluster.run("rm prod/web1/shop; mkdir prod/web1/shop; ln -s ../../../shared/shop/shop.conf prod/web1/shop/shop.conf")
        try shell("printf value | secret set web1/shop/x").require(0)
        #expect(exists("prod/web1/shop/secrets/x.age") && !exists("shared/shop/secrets"))
    }

    @Test func `an edited value is sealed again, and an unedited one stays`() throws {
        try shell("printf '%s\\n' \(marker) | secret set web1/shop/environment").require(0)
        let before = try shell("sha256sum prod/web1/shop/secrets/environment.age").text
        #expect(try shell("EDITOR=true secret edit web1/shop/environment").require(0).text == "Unchanged.\n")
        #expect(try shell("sha256sum prod/web1/shop/secrets/environment.age").text == before)
        #expect(try shell("EDITOR=false secret edit web1/shop/environment").errors == "Error: the editor failed\nNothing was sealed.\n")
        #expect(try shell("VISUAL='sed -i s/^/new-/' secret edit web1/shop/environment").require(0).text.hasPrefix("Sealed "))
        #expect(try shell("secret show web1/shop/environment").text == "new-\(marker)\n")
        #expect(try shell("EDITOR=rm secret edit web1/shop/environment").code == 1)
    }

    @Test func `a generated value is shown only on request`() throws {
        #expect(try shell("secret generate web1/shop/key --length 40 --alphabet ab").require(0).text.hasPrefix("Sealed "))
        let value = try shell("secret show web1/shop/key").text
        #expect(value.count == 40 && value.allSatisfy("ab".contains))
        #expect(
            try shell("secret generate web1/shop/key").errors == "Error: web1/shop/key has a value\n`--replace` gives it another one.\n")
        let shown = try shell("secret generate web1/shop/key --replace --show").require(0).text
        #expect(try shell("secret show web1/shop/key").text + "\n" == shown)
        #expect(shown.count == 33)
    }

    @Test func `a typed value must be typed twice`() throws {
        for (second, expected) in [(marker, "Sealed "), ("another", "the two values differ")] {
            let program = try cluster.start("secret", "set", "web1/shop/typed", "--ssh-config", "ssh_config", on: .terminal)
            try program.expect("Value: ")
            program.type(line: marker)
            try program.expect("Again: ")
            program.type(line: second)
            try program.expect(expected)
            #expect(!(try program.finish().text.contains(marker)))
        }
        #expect(try shell("secret show web1/shop/typed").text == marker)
    }

    @Test func `a key with a passphrase opens after ssh-keygen's prompt`() throws {
        try shell("printf \(marker) | secret set web1/shop/x").require(0)
        try cluster.run("ssh-keygen -q -p -N 'the passphrase' -f .ssh/id_ed25519")
        let program = try cluster.start("secret", "show", "web1/shop/x", on: .terminal)
        try program.expect("passphrase: ")
        program.type(line: "the passphrase")
        try program.expect(marker)
        #expect(try program.finish().code == 0)
        let wrong = try cluster.start("secret", "show", "web1/shop/x", on: .terminal)
        try wrong.expect("passphrase: ")
        wrong.type(line: "another")
        try wrong.expect("it needs its passphrase")
        #expect(try wrong.finish().code == 1)
        // Ctrl-C at the question: the copy is gone, too.
        let left = try cluster.start("secret", "show", "web1/shop/x", on: .terminal)
        try left.expect("passphrase: ")
        // The line is for ssh-keygen, which may not read yet and miss the signal.
        left.type("\u{3}\n")
        #expect([1, 130].contains(try left.finish().code))
        #expect(try shell("ls -d /dev/shm/deptool-secret-* 2>/dev/null | grep -c -- -\(left.pid)- || true").text == "0\n")
    }

    @Test func `a new host is asked for its key`() throws {
        let server = try #require(["/usr/sbin/sshd"].first(where: FileManager.default.isExecutableFile))
        try cluster.write("new/shop/shop.conf", "port 80\n")
        try cluster.run(
            """
            mkdir -p /run/sshd
            printf 'Host new\\n  HostName 127.0.0.1\\n  HostKeyAlias new\\n  UserKnownHostsFile %s/known\\n  ProxyCommand \(server) -i -f none -h %s/web2 -o UsePAM=no\\n' "$PWD" "$PWD" >new_config
            """)
        for (answer, expected) in [("n", "was declined"), ("y", "Sealed ")] {
            let program = try cluster.start("secret", "generate", "new/shop/key", "--ssh-config", "new_config", on: .terminal)
            try program.expect("has a key that is not known yet")
            try program.expect("[y/N] ")
            program.type(line: answer)
            let output = try program.finish()
            if answer == "y" { #expect(output.text.contains(expected), "\(output)") } else { #expect(output.code == 1, "\(output)") }
        }
        #expect(try shell("secret show new/shop/key -i web2").code == 0)
    }

    // MARK: Operators who come and go

    @Test func `operators can be added and removed`() throws {
        try shell("printf one | secret set web1/shop/one; printf two | secret set web2/shop/two").require(0)
        // Bob comes: Ann adds his key, and seals again.
        try cluster.run("cat bob.pub >>prod/recipients")
        expect(
            try shell("secret list").text,
            is: """
                web1/shop/one  web1, ann@laptop  (sealed for others than the recipients now)
                web2/shop/two  web2, ann@laptop  (sealed for others than the recipients now)

                """)
        #expect(try shell("secret rekey -i bob").code == 1)
        expect(
            try shell("secret rekey").require(0).text,
            is: """
                Sealed prod/web1/shop/secrets/one.age for web1, ann@laptop and bob@laptop.
                Sealed prod/web2/shop/secrets/two.age for web2, ann@laptop and bob@laptop.

                """)
        #expect(try shell("secret rekey").require(0).text == "Every secret is sealed for the present keys.\n")
        #expect(try shell("secret show web1/shop/one -i bob").text == "one")
        // Ann leaves.
        try cluster.run("cp bob.pub prod/recipients")
        expect(
            try shell("secret rekey -i bob").require(0).text,
            is: """
                Sealed prod/web1/shop/secrets/one.age for web1 and bob@laptop.
                Sealed prod/web2/shop/secrets/two.age for web2 and bob@laptop.

                Keys that are no longer recipients, of an operator or of a host that was reinstalled, could open these.
                The old files in the history of the config tree still open with them. Unless such a key is safely gone,
                change the values where they are used, and here with `deptool secret set`:
                    web1/shop/one
                    web2/shop/two

                """)
        #expect(try shell("secret show web1/shop/one -i ann").code == 1)
        #expect(try shell("secret show web1/shop/one -i bob").text == "one")
    }

    // MARK: The plan

    /// Files that a host could not open, each with its name.
    @Test func `a plan finds files that its host cannot open, and contacts no host`() throws {
        try shell("printf value | secret set 'web*/shop/x'").require(0)
        try cluster.run("deptool plan --ssh-config ssh_config")
        let file = "prod/web1/shop/secrets/x.age"
        for (change, expected) in [
            ("cp prod/web2/shop/secrets/x.age \(file)", "web1/shop/secrets/x.age: not sealed for web1, whose key is SHA256:"),
            ("age -R ann.pub -o \(file) known", "run: deptool secret rekey web1/shop/x"),
            ("printf value >\(file)", "secrets/x.age is not a sealed file"), ("printf '' >\(file)", "secrets/x.age is not a sealed file"),
            ("age -a -R web1.pub -o \(file) known", "secrets/x.age is not a sealed file"),
            ("truncate -s 100 \(file)", "web1/shop/secrets/x.age: damaged: its header"),
            ("truncate -s -1 \(file); truncate -s -20 \(file)", "web1/shop/secrets/x.age: damaged: its content"),
            ("sed -i 's/^-> ssh-ed25519 /-> ssh-ed25519  /' \(file)", "web1/shop/secrets/x.age: damaged: its header"),
            ("sed -i '1s/v1/v2/' \(file)", "web1/shop/secrets/x.age: in an unsupported version of age"),
            (
                "printf 'age-encryption.org/v1\\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 18\\n%043d\\n--- %043d\\n%032d' 0 0 0 >\(file)",
                "sealed with a passphrase"
            ),
            ("head -c 1100000 /dev/zero >>\(file)", "larger than a sealed file may be"),
            ("mv \(file) prod/web1/shop/secrets/x", "secrets/x is not a sealed file"),
            ("mkdir prod/web1/shop/secrets/a; cp \(file) prod/web1/shop/secrets/a", "secrets/a/x.age is not a sealed file"),
            ("mv \(file) prod/web1/shop/secrets/.x.age", "secrets/.x.age is not a sealed file"),
            ("ln -s secrets/x.age prod/web1/shop/conf", "web1/shop/conf leads to a sealed file"),
            ("ln -s secrets prod/web1/shop/confs", "confs/x.age leads to a sealed file"),
            ("ln -s ../../shop.conf prod/web1/shop/secrets/y.age", "secrets/y.age is a symlink that"),
            (
                #"echo '{"symlinks": {"/etc/x": "secrets/x.age"}}' >prod/web1/shop/manifest.json"#,
                "'/etc/x' would be 'secrets/x.age', which is sealed"
            ),
            (#"echo '{"symlinks": {"/etc/x": "secrets"}}' >prod/web1/shop/manifest.json"#, "'/etc/x' would be 'secrets', which is sealed"),
            (#"echo '{"copies": {"/etc/x": {"source": "secrets/x.age"}}}' >prod/web1/shop/manifest.json"#, "which is sealed"),
        ] {
            try cluster.run("rm -rf saved; cp -R prod saved; \(change)")
            for command in ["plan", "deploy --no-confirm", "check"] {
                let output = try shell("deptool \(command) --ssh-config ssh_config")
                #expect(output.code == 1 && output.errors.contains(expected), "\(change), \(command): \(output)")
            }
            try cluster.run("rm -rf prod; mv saved prod")
        }
        // The key is that of a login: under another name, on another port, among others of the host.
        for (settings, line) in [
            ("HostKeyAlias other", "other"), ("Port 2222", "[web1]:2222"), ("Port 2222", "web1"), ("HostName 192.0.2.1", "192.0.2.1,web9"),
            ("User x", "web?,!web2"),
        ] {
            try cluster.run(
                """
                { echo "Host web1\n  \(settings)"; sed s/known/other/ ssh_config; } >other_config
                { echo "* $(cut -d ' ' -f 1,2 bob.pub)" | sed 's/^/@cert-authority /'; echo "\(line) $(cut -d ' ' -f 1,2 web1.pub)"; } >other
                """)
            #expect(try shell("deptool plan --ssh-config other_config --limit web1").code == 0, "\(settings), \(line)")
        }
        // A key that is revoked, or another one than that of a login, is not the host's.
        try cluster.run("sed -i 's/^/@revoked /' known")
        #expect(try shell("deptool plan --ssh-config ssh_config").errors.contains("its ed25519 key is not in known_hosts"))
        #expect(!exists("contacted"))
        #expect(try shell("deptool plan --ssh-config ssh_config --limit nobody").code == 1)
    }

    @Test func `a plan without new secrets does not run ssh`() throws {
        try cluster.run("deptool plan --ssh-config ssh_config")
        #expect(queries == 0)
        try shell("printf value | secret set web1/shop/x; printf value | secret set web1/shop/y; rm queries").require(0)
        try cluster.run("deptool plan --ssh-config ssh_config")
        #expect(queries == 1)
    }

    @Test func `plans and diffs show that a secret changed, and nothing of it`() throws {
        try shell("printf \(marker) | secret set web1/shop/x").require(0)
        expect(
            try shell("deptool plan --ssh-config ssh_config --limit web1").require(0).text,
            is: """
                web1 (new host)
                    add shop
                        + secrets/x.age (sealed)
                        + shop.conf
                        unseal 1 secret

                """)
        expect(
            try shell("deptool diff --limit web1").require(0).text,
            is: """
                --- /dev/null
                +++ web1/shop/secrets/x.age
                sealed
                --- /dev/null
                +++ web1/shop/shop.conf
                @@ -0,0 +1 @@
                +port 80

                """)
        for command in [
            "plan --json --ssh-config ssh_config", "diff --stat --json", "diff --stat", "plan --format markdown --ssh-config ssh_config",
        ] {
            #expect(!(try shell("deptool \(command)").require(0).text.contains("age-encryption.org")))
        }
    }

    // MARK: Leaks

    /// Each command runs beside a program that reads everything visible to other programs of this user.
    @Test func `the value is in no argument, environment, output, error, file or core`() throws {
        try cluster.run(
            """
            cat >bin/look <<'END'
            #!/bin/sh
            # The editor, and whatever the tool starts: arguments, environments, and what would be dumped.
            cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' >>seen
            env >>seen
            ulimit -c >>limits
            case $1 in /dev/shm/*) sed -i s/^/new-/ "$1"; cp "$1" "$1~"; cp "$1" "$(dirname "$1")/.x.swp";; esac
            END
            printf '#!/bin/sh\\nlook\\nPATH=${PATH#*:}\\nexec ssh "$@"\\n' >bin/ssh
            printf '#!/bin/sh\\nlook\\nPATH=${PATH#*:}\\nexec ssh-keygen "$@"\\n' >bin/ssh-keygen
            chmod +x bin/look bin/ssh-keygen
            (umask 077; printf '%s' \(marker) >../value)
            cat bob.pub >>prod/recipients
            """)
        let script = """
            secret set 'web*/shop/x' <../value
            EDITOR=look secret edit web1/shop/x
            secret list; secret list --json; secret rekey --all; secret show web1/shop/x >../shown
            cp web2 .ssh/id_ed25519
            secret show web1/shop/x || true; secret rekey --all web1 || true
            cp ann .ssh/id_ed25519; cp ann.pub prod/recipients; secret rekey
            deptool plan --ssh-config ssh_config; deptool plan --json --ssh-config ssh_config; deptool diff
            deptool plan --out plan.file --ssh-config ssh_config; deptool plan --format markdown --ssh-config ssh_config
            cp ../value prod/web1/shop/secrets/plain.age; deptool plan --ssh-config ssh_config || true; rm prod/web1/shop/secrets/plain.age
            """
        let output = try shell(script, within: .seconds(120)).require(0)
        #expect(output.text.contains("(sealed)") && output.errors.contains("is not a sealed file"))
        #expect(!(output.text + output.errors).contains(marker))
        // It was there, and has the edited content.
        #expect(try String(contentsOfFile: "\(site.directory)/shown", encoding: .utf8) == "new-\(marker)")
        #expect(try Set(shell("cat limits").text.split(separator: "\n")) == ["0"])
        #expect(try shell("wc -l <seen").text != "0\n")
        // The tree, the store with all of its objects, the home, the plan file, and the copies of the others.
        let found = try shell(
            """
            grep -rla \(marker) . || true
            ls -d /dev/shm/deptool-secret-* 2>/dev/null | while read -r path; do grep -rla \(marker) "$path" || true; done
            git -C .deptool cat-file --batch-all-objects --batch --buffer | grep -ac \(marker) || true
            """)
        expect(try found.require(0).text, is: "0\n")
    }
}
