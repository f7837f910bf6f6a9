import Foundation
import Testing

extension EndToEnd {
    /// The released programs for other CPUs than this machine's, under emulation, with the C library of the compiler for that CPU.
    @Suite(.enabled(if: !Release.otherCPUs.isEmpty, "there is no release for another CPU; `make test-dist` makes one"))
    final class EmulatedToolTests {
        let site: Site

        init() throws { site = try Site() }

        private func files(_ script: String) throws -> String {
            try Program(["bash", "-euc", script], in: Release.directory, environment: ProcessInfo.processInfo.environment).finish()
                .require(0).text
        }

        @Test(arguments: Release.cpus)
        func `every CPU has a tarball, a package and an image of its own, each below 12 MB`(cpu: String) throws {
            let (machine, architecture) = try #require(["x86_64": ("62", "amd64"), "aarch64": ("183", "arm64")][cpu])
            let text = try files(
                """
                tar -xOf deptool-*-linux-\(cpu).tar.gz --wildcards '*/bin/deptool' | od -An -tu2 -j18 -N2 | tr -d ' '
                dpkg-deb --fsys-tarfile deptool_*_\(architecture).deb | tar -xO ./usr/bin/deptool | od -An -tu2 -j18 -N2 | tr -d ' '
                dpkg-deb --field deptool_*_\(architecture).deb Architecture
                config=$(tar -xOf deptool-*-oci-\(cpu).tar ./index.json | grep -o 'sha256:[0-9a-f]*')
                config=$(tar -xOf deptool-*-oci-\(cpu).tar "./blobs/${config/://}" | grep -o '"config":{[^}]*' | grep -o 'sha256:[0-9a-f]*')
                tar -xOf deptool-*-oci-\(cpu).tar "./blobs/${config/://}" | grep -o '"architecture":"[^"]*"'
                find . ! -name '*oci*' -name '*_\(architecture).deb' -size +12M -o -name '*linux-\(cpu).tar.gz' -size +12M
                """)
            #expect(text == "\(machine)\n\(machine)\n\(architecture)\n\"architecture\":\"\(architecture)\"\n")
        }

        /// But for the documents on what is linked in.
        @Test func `the packages for all CPUs have the same files, with the same pages and completions`() throws {
            let text = try files(
                """
                for package in *.deb; do
                    mkdir '\(site.directory)/all' && dpkg-deb -x "$package" '\(site.directory)/all'
                    (cd '\(site.directory)/all' && find . -type f ! -path '*/bin/deptool' ! -path '*/share/doc/*' -exec sha256sum {} + &&
                        find usr/share/doc ! -path '*/licenses/*') | sort | sha256sum
                    rm -r '\(site.directory)/all'
                done | uniq | wc -l
                """)
            #expect(text == "1\n")
        }

        @Test(arguments: Release.otherCPUs)
        func `it shows the same plans of the examples as this machine's`(cpu: String) throws {
            let cluster = try Cluster(site)
            let texts = try [Tools.deptool, Release.tool(for: cpu, in: site)].map { tool in
                try cluster.run(
                    """
                    deptool() { \(tool) "$@" 2>&1 || echo "exit $?"; }
                    deptool self-check | tail -n 1
                    for example in app-release containers dns web; do
                        mkdir work && cp -R \(Cluster.examples)/$example/. work && cd work
                        deptool init prod
                        for format in text markdown html; do deptool plan --format $format; done
                        deptool plan --json
                        deptool diff
                        deptool deploy --no-such-option
                        cd .. && rm -r work
                    done
                    """)
            }
            #expect(texts[0].contains("All is well.") && texts[0].count > 10_000)
            expect(texts[1], is: texts[0])
        }

        @Test(arguments: Release.otherCPUs)
        func `it seals what this machine's opens, and opens what that seals`(cpu: String) throws {
            let host = try site.boot("web1")
            let cluster = try Cluster(site)
            try cluster.write("web1/shop/shop.conf", "port 80\n")
            try cluster.addOperator()
            let other = try Release.tool(for: cpu, in: site)
            let text = try cluster.run(
                """
                other="\(other) secret" ssh="--ssh-config \(cluster.sshConfiguration)"
                printf 'from there\\n' | $other set $ssh web1/shop/there
                printf 'from here\\n' | deptool secret set web1/shop/here
                $other generate $ssh web1/shop/random
                deptool secret show web1/shop/there
                $other show $ssh web1/shop/here
                [ "$(deptool secret show web1/shop/random)" = "$($other show $ssh web1/shop/random)" ]
                ssh-keygen -q -t ed25519 -N '' -C second -f second && cat second.pub >>prod/recipients
                $other rekey $ssh
                deptool secret show -i second web1/shop/here
                """)
            expect(
                text,
                is: """
                    Sealed prod/web1/shop/secrets/there.age for web1 and operator.
                    Sealed prod/web1/shop/secrets/here.age for web1 and operator.
                    Sealed prod/web1/shop/secrets/random.age for web1 and operator.
                    from there
                    from here
                    Sealed prod/web1/shop/secrets/here.age for web1, operator and second.
                    Sealed prod/web1/shop/secrets/random.age for web1, operator and second.
                    Sealed prod/web1/shop/secrets/there.age for web1, operator and second.
                    from here

                    """)
            cluster.tool = other
            try cluster.deploy().require(0)
            #expect(try host.run("cat /run/deptool/secrets/shop/here") == "from here\n")
        }

        @Test(arguments: Release.otherCPUs)
        func `it deploys, changes, undoes and verifies, and this machine's goes on with its store`(cpu: String) throws {
            let host = try site.boot("web1")
            let cluster = try Cluster(site)
            cluster.tool = try Release.tool(for: cpu, in: site)
            try cluster.write("web1/app/manifest.json", #"{"symlinks": {"/etc/app.conf": "app.conf"}}"#)
            try cluster.write("web1/app/app.conf", "one\n")
            try cluster.addService("web", on: "web1")
            for transport in ["libssh2", "openssh"] {
                cluster.transport = transport
                try cluster.deploy().require(0)
                #expect(try host.read("/etc/app.conf") == "one\n")
                #expect(try host.state(of: "web") == "active")
                try cluster.write("web1/app/app.conf", "two\n")
                try cluster.deploy().require(0)
                #expect(try host.read("/etc/app.conf") == "two\n")
                try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration).require(0)
                #expect(try host.read("/etc/app.conf") == "one\n")
                try cluster.write("web1/app/app.conf", "one\n")
            }
            // A rollback, too.
            try cluster.addService("web", on: "web1", run: "/bin/false")
            try cluster.deploy().require(3)
            #expect(try host.state(of: "web") == "active")
            try cluster.addService("web", on: "web1")
            try cluster.deptool("verify", "--exit-code", "--ssh-config", cluster.sshConfiguration).require(0)
            let answers = try ["log", "status --offline", "plan"].map { command in
                try [cluster.tool, Tools.deptool].map { try cluster.run("\($0) \(command)") }
            }
            for answer in answers { expect(answer[1], is: answer[0]) }
        }
    }
}

/// The results of `make dist`.
enum Release {
    static let directory = Tools.dist ?? "/"

    static let machine = {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()

    /// Those that there is a tarball for.
    static let cpus: [String] =
        (Tools.dist.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0) } ?? []).compactMap { name in
            name.hasSuffix(".tar.gz") ? name.firstRange(of: "-linux-").map { String(name[$0.upperBound...].dropLast(7)) } : nil
        }.sorted()

    static let otherCPUs = cpus.filter { $0 != machine }

    /// The released program for a CPU; for another one than this machine's, a script that emulates it.
    static func tool(for cpu: String, in site: Site) throws -> String {
        let path = "\(site.directory)/deptool-\(cpu)"
        let script = """
            mkdir '\(path).release' && tar -xf deptool-*-linux-\(cpu).tar.gz -C '\(path).release' --strip-components 1
            printf '#!/bin/sh\\nexec %s%s "$@"\\n' '\(cpu == machine ? "" : "qemu-\(cpu)-static -L /usr/\(cpu)-linux-gnu ")' \
                '\(path).release/bin/deptool' >'\(path)' && chmod 755 '\(path)'
            """
        try Program(["sh", "-euc", script], in: directory, environment: ProcessInfo.processInfo.environment).finish().require(0)
        return path
    }
}
