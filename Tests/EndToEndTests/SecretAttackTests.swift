import Foundation
import Testing

/// Hostile values and config trees, and programs that keep copies.
extension SecretCommandTests {
    @Test func `a changed config tree cannot add a reader of secrets without consent`() throws {
        try shell("printf \(marker) | secret set 'web*/shop/x'; cp -R prod saved").require(0)
        let bob = try cluster.run("cut -d ' ' -f 1,2 bob.pub").trimmingCharacters(in: .newlines)
        let unconfirmed = "you have not confirmed that web1 opens secrets with the key in prod/web1/host.json"
        let foreign = "prod/web2/shop/secrets/x.age is not sealed for web2, and was never deployed there"
        let copy = "cp prod/web1/shop/secrets/x.age prod/web2/shop/secrets/; "
        let identity = "echo '{\"identity\": \"\(bob)\"}' >prod/HOST/host.json"
        for (change, command, expected) in [
            // A key for a host, and for an unknown one.
            (identity.replacing("HOST", with: "web1"), "printf y | secret set web1/shop/y", unconfirmed),
            (identity.replacing("HOST", with: "web1"), "secret generate --replace web1/shop/x", unconfirmed),
            (identity.replacing("HOST", with: "web1"), "secret rekey", unconfirmed),
            (identity.replacing("HOST", with: "web1"), "EDITOR='echo y >' secret edit web1/shop/x", unconfirmed),
            (
                "mkdir -p prod/web01/shop; " + identity.replacing("HOST", with: "web01"), "printf y | secret set 'web*/shop/y'",
                unconfirmed.replacing("web1", with: "web01")
            ),
            // Files of another host, as they are or from another app, also under the name of one that is there, and with whatever
            // else hides where they come from.
            (
                "mkdir -p prod/web2/blog/secrets; cp prod/web1/shop/secrets/x.age prod/web2/blog/secrets/token.age", "secret rekey",
                """
                Error: prod/web2/blog/secrets/token.age is not sealed for web2, and was never deployed there
                It is sealed for web1. If web2 may read the value, run `deptool secret rekey --trust web2/blog/token`.

                """
            ),
            (copy, "secret rekey web2", foreign), (copy, "secret rekey --all", foreign),
            (copy, "EDITOR='echo y >>' secret edit web2/shop/x", foreign),
            (copy + identity.replacing("HOST", with: "web1"), "secret rekey web2", foreign),
            (copy + "echo '{' >prod/web1/host.json", "secret rekey web2", foreign),
            (copy + "mv prod/web1 prod/other", "secret rekey web2", foreign),
            (copy + "sed 's/web1$/bob@laptop/' web1.pub >>prod/recipients", "secret rekey web2", foreign),
            (
                "mkdir -p stage/web9/shop/secrets; cp prod/recipients stage; cp prod/web1/shop/secrets/x.age stage/web9/shop/secrets/",
                "echo \"web9 \(bob)\" >>known; deptool init stage; secret rekey --cluster stage",
                foreign.replacing("prod/web2", with: "stage/web9").replacing("for web2", with: "for web9")
            ),
        ] {
            try cluster.run(change)
            let output = try shell(command)
            #expect(output.code == 1 && output.errors.contains(expected), "\(change); \(command): \(output)")
            // No one can open more than before.
            let files = try shell(
                """
                for key in bob web2; do
                    for file in $(find prod/web2 prod/web01 stage -name '*.age' 2>/dev/null); do age -d -i $key -o - $file 2>/dev/null || true; done
                done
                """)
            // One of web2's own can be among them.
            #expect(files.text == (change.hasPrefix("cp") ? "" : marker), "\(change); \(command)")
            try cluster.run("rm -rf prod stage; cp -R saved prod; deptool init prod")
        }
        #expect(try shell("secret list").text.contains("web1/shop/x"))
        try cluster.run("cp prod/web1/shop/secrets/x.age prod/web2/shop/secrets/")
        try shell("secret rekey --trust").require(0)
        #expect(try shell("secret show web2/shop/x -i web2").text == marker)

        // The plan shows whose key it is.
        try cluster.run("rm -rf prod; cp -R saved prod; " + identity.replacing("HOST", with: "web1"))
        try cluster.run("rm -r prod/*/shop/secrets")
        for format in ["text", "markdown"] {
            #expect(try shell("deptool plan --format \(format) --ssh-config ssh_config").text.contains("opens secrets with \(bob)"))
        }

        // Somebody in the place of an operator, or with the name of one or of a host.
        try cluster.run("rm -rf prod; cp -R saved prod; sed 's/bob@/ann@/' bob.pub >prod/recipients; cp ann.pub .ssh/id_ed25519.pub")
        #expect(
            try shell("printf y | secret set web1/shop/y").errors
                == "warning: none of your keys in ~/.ssh can open it: your public key is not in prod/recipients\n")
        for name in ["ann@laptop", "ann@\u{200b}laptop", "\u{430}nn@laptop", "ann@laptop\u{3164}", "web1"] {
            try cluster.run("{ cat ann.pub; echo '\(bob) \(name)'; } >prod/recipients")
            let fingerprint = try cluster.run("ssh-keygen -lf bob.pub | cut -d ' ' -f 2").trimmingCharacters(in: .newlines)
            let sealed = try shell("printf y | secret set web1/shop/y").require(0).text
            let listed = try shell("secret list web1/shop/y").require(0).text
            let expected = "\(name.replacing("\u{200b}", with: "\\u{200b}")) (\(fingerprint))"
            #expect(sealed.contains(expected) && listed.contains(expected), "\(name): \(sealed)\(listed)")
        }

        // Both keys of a host that was replaced.
        try cluster.run("cp ann.pub prod/recipients; echo \"web1 \(bob)\" >>known")
        let both = try shell("printf y | secret set web1/shop/y").require(0)
        #expect(both.errors.contains("warning: your known_hosts has several keys of web1, and each of them opens it"), "\(both)")
    }

    @Test func `a file with too many recipients is not written`() throws {
        try shell("printf \(marker) | secret set web1/shop/x").require(0)
        // The private keys of these do not exist.
        func line(_ number: Int) -> String {
            func part(_ bytes: [UInt8]) -> [UInt8] { [0, 0, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes }
            let modulus = [0, 0x80] + (0..<510).map { _ in UInt8.random(in: 0...255) } + [UInt8(1)]
            return "ssh-rsa \(Data(part(Array("ssh-rsa".utf8)) + part([1, 0, 1]) + part(modulus)).base64EncodedString()) op\(number)\n"
        }
        let ann = try cluster.run("cat ann.pub")
        var written = 0
        for count in [1, 20, 80, 100, 400] {
            try cluster.write("recipients", ann + (0..<count).map(line).joined())
            let output = try shell("secret rekey")
            if output.code == 0 { written += 1 }
            #expect(output.code == 0 || output.errors.contains("there are too many recipients for one file: \(count + 2)\n"), "\(output)")
            #expect(try shell("secret show web1/shop/x").text == marker)
        }
        #expect(written == 3)
    }

    @Test func `vim keeps no copy under any of its names`() throws {
        try shell("printf \(marker) | secret set web1/shop/x").require(0)
        for name in ["vi", "editor", "vim.basic", "nvim"] {
            let real = name == "nvim" ? "nvim-0.9" : "vim.basic"
            try cluster.run(
                """
                printf '#!/bin/sh\\nprintf "<%%s>" "$@" >%s/arguments\\n' "$PWD" >bin/\(real); chmod 755 bin/\(real)
                [ \(name) = \(real) ] || ln -sf \(real) bin/\(name)
                """)
            try shell((name == "vi" ? "" : "EDITOR=\(name) ") + "secret edit web1/shop/x").require(0)
            let arguments = try cluster.run("cat arguments; rm arguments")
            #expect(
                arguments.hasPrefix(
                    "<-n><-i><NONE><--cmd><au BufReadPre * setlocal nomodeline><-c><set noundofile nobackup nowritebackup></dev/shm/"),
                "\(name): \(arguments)")
        }
    }

    @Test(arguments: ["\u{9b}31m", "\u{202e}abc", "\u{1b}[2J", "\u{7f}", "a\u{0}b"])
    func `a value with control characters is not shown on a terminal`(value: String) throws {
        try cluster.write(outside: "value", value)
        try shell("secret set web1/shop/x <value").require(0)
        let shown = try Program(
            [Tools.deptool, "secret", "show", "web1/shop/x", "--ssh-config", "ssh_config"], in: cluster.directory,
            environment: cluster.environment, console: .terminal
        ).finish()
        #expect(shown.code == 1 && shown.text.contains("the value is no plain text, which could harm the terminal"))
        #expect(try shell("secret show web1/shop/x").text == value)
    }
}
