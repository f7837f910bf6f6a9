import Foundation
import Testing

extension EndToEnd {
    /// The results of `make dist`, installed into root file systems that never had a toolchain. `make test-dist` runs these.
    @Suite(.enabled(if: Tools.dist != nil, "DEPTOOL_DIST is not set; `make test-dist` sets it"))
    final class InstallationTests {
        let site: Site

        init() throws { site = try Site() }

        /// Runs a script beside `root`, a root file system that is only there while it runs. `inside` runs a command in it, `tree` lists all that
        /// is in it, and /release has what was built.
        private func run(_ script: String, in flavour: Site.Flavour) throws -> String {
            let setup = """
                mkdir -p upper work root bin
                mount -t overlay overlay -o lowerdir=$(\(Tools.lab) image),upperdir=upper,workdir=work root
                mkdir -p root/release '\(site.lab)' "root\(site.lab)"
                mount --bind '\(Tools.dist ?? "")' root/release
                mount --bind '\(site.lab)' 'root\(site.lab)'
                mount -t proc proc root/proc
                mount --rbind /dev root/dev
                cp '\(InstallScriptTests.script)' root/tmp
                # Busybox has no ssh of OpenSSH, which reads ssh_config for Deptool.
                if [ ! -e root/usr/bin/ssh ]; then
                    debian=$(LAB_FLAVOUR=debian \(Tools.lab) image)
                    for file in /usr/bin/ssh $(chroot "$debian" ldd /usr/bin/ssh | grep -o '/[^ ]*'); do
                        [ -e "root$file" ] || { mkdir -p "root$(dirname "$file")"; cp -L "$debian$file" "root$file"; }
                    done
                fi
                inside() { chroot root env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home "$@"; }
                tree() { (cd root && find . -xdev ! -path './tmp/*' ! -path './var/*' -type d -printf '%p %y %m %U\\n' -o ! -path './tmp/*' ! -path './var/*' -printf '%p %y %m %U %s %l\\n' | sort); }
                mkdir -p root/tmp/home
                tree >before
                """
            let output = try Program(
                ["unshare", "--mount", "sh", "-euc", setup + "\n" + script], in: site.directory,
                environment: ProcessInfo.processInfo.environment.merging(flavour.environment.merging([Tools.mark: site.directory]) { $1 }) {
                    $1
                }
            ).finish(within: .seconds(180))
            return try output.require(0).text
        }

        @Test(arguments: [Site.Flavour.debian12, .debian13, .busybox])
        func `three commands lead to a first deploy, and removal leaves nothing`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1")
            let text = try run(
                """
                inside sh /tmp/install.sh --from /release
                inside deptool --version | sed -n 1p
                inside deptool self-check | tail -n 1
                inside sh -euc '
                    cd /tmp/home && deptool init prod >&2 && mkdir -p prod/web1/app && echo one >prod/web1/app/file
                    echo "{\\"symlinks\\": {\\"/etc/app.conf\\": \\"file\\"}}" >prod/web1/app/manifest.json
                    deptool plan && deptool deploy --no-confirm --transport libssh2 --ssh-config \(site.lab)/ssh_config >&2'
                inside sh /tmp/install.sh --from /release | sed 's/.* is/is/'
                inside sh /tmp/install.sh --remove
                tree | diff before -
                """, in: flavour)
            #expect(
                text.replacing(/[0-9]+\.[0-9]+\.[0-9]+/, with: "V") == """
                    Deptool V is installed: /usr/local/bin/deptool
                    V
                    All is well.
                    web1 (new host)
                        add app
                            + file
                            + manifest.json
                            link /etc/app.conf -> file
                    is installed: /usr/local/bin/deptool
                    Deptool is removed.

                    """)
            #expect(try host.read("/etc/app.conf") == "one\n")
        }

        @Test(arguments: Site.Flavour.debians)
        func `the Debian package installs, runs and can be removed`(flavour: Site.Flavour) throws {
            let text = try run(
                """
                inside sh -c 'dpkg --install /release/deptool_*_$(dpkg --print-architecture).deb' >&2
                inside deptool self-check | tail -n 1
                inside dpkg --purge deptool >&2
                tree | diff before -
                """, in: flavour)
            #expect(text == "All is well.\n")
        }

        private struct Materials: Decodable {
            struct Package: Decodable {
                struct Checksum: Decodable { var checksumValue: String }
                var name: String
                var versionInfo: String
                var licenseConcluded: String
                var packageFileName: String?
                var checksums: [Checksum]?
            }
            var packages: [Package]
        }

        @Test(arguments: ["linux", "oci"], Release.cpus)
        func `the bill of materials agrees with --version`(part: String, cpu: String) throws {
            let directory = Release.directory
            let files = try FileManager.default.contentsOfDirectory(atPath: directory)
            let file = try #require(files.first { $0.hasSuffix("-\(part)-\(cpu).spdx.json") })
            let packages = try JSONDecoder().decode(Materials.self, from: Data(contentsOf: URL(filePath: "\(directory)/\(file)"))).packages
            let lines = try Program([Release.tool(for: cpu, in: site), "--version"], environment: [:]).finish().require(0).text.split(
                separator: "\n"
            )
            .dropFirst(2)
            #expect(lines.count > 6)
            for words in lines.map({ $0.split(separator: " ").map(String.init) }) {
                if words[0] == "agent" {
                    let agent = packages.first { $0.packageFileName == "linux-\(words[1])" }
                    #expect(agent?.checksums?.map(\.checksumValue) == [words[3]])
                } else {
                    #expect(packages.contains { $0.name == words[0] && $0.versionInfo == words[1] }, "\(words)")
                }
            }
            let foundation = cpu == Release.machine ? ["swift-corelibs-libdispatch", "swift-foundation"] : []
            for name in ["BearSSL", "deptool", "gcc-runtime", "glibc", "libgcc", "musl", "swift"] + foundation {
                #expect(packages.contains { $0.name == name && $0.licenseConcluded != "NOASSERTION" }, "\(name)")
            }
            #expect(packages.contains { $0.name == "openssh-client" } == (part == "oci"))
        }

        /// The image, unpacked and run by buildah without a namespace of its own, with the lab's key and known_hosts in it.
        @Test(arguments: Release.cpus)
        func `the image plans and deploys, by itself and with its ssh`(cpu: String) throws {
            let host = try site.boot("web1")
            let script = """
                buildah() { command buildah --root "$PWD/images" --runroot "$PWD/run" --storage-driver vfs "$@"; }
                container=$(buildah from oci-archive:$(echo \(Tools.dist ?? "")/deptool-*-oci-\(cpu).tar))
                # What a program writes goes through a file: buildah can lose the last of it.
                inside() { # USER COMMAND...
                    buildah run --isolation chroot --user "$1" --volume "$PWD/work:/work" --volume \(site.lab):\(site.lab):ro \
                        --volume \(Release.directory):/release:ro "$container" -- \
                        sh -c '"$@" >/work/output' sh "${@:2}"
                    cat work/output
                }
                mkdir -p work/prod/web1/app
                echo '{"symlinks": {"/etc/app.conf": "file"}}' >work/prod/web1/app/manifest.json
                echo one >work/prod/web1/app/file
                # Only ssh follows the second setting, and the proxy needs a shell.
                { cat \(site.lab)/ssh_config; printf 'Host *\n  ProxyCommand nc %%h %%p\n  RevokedHostKeys /work/revoked\n'; } >work/by-ssh
                : >work/revoked
                inside root uname -m
                cp \(InstallScriptTests.script) work
                inside root sh install.sh --from /release --prefix /work/installed
                inside root deptool --version | sed -n 1p
                inside root deptool self-check | tail -n 1
                inside root deptool init prod >&2
                inside root deptool deploy --no-confirm --transport libssh2 --ssh-config \(site.lab)/ssh_config >&2
                echo two >work/prod/web1/app/file
                inside root deptool deploy --no-confirm --verbose --ssh-config by-ssh | grep "system's ssh"
                inside root sh -euc 'DEPTOOL_KEY=$(cat \(site.lab)/key) DEPTOOL_SSH_CONFIG=\(site.lab)/ssh_config deptool-ci verify prod' >&2
                echo three >work/prod/web1/app/file
                rm -r work/.deptool
                chown -R 1000:1000 work
                inside deptool deptool init prod >&2
                inside deptool deptool plan
                """
            let text = try Program(
                ["unshare", "--mount", "bash", "-euc", script], in: site.directory,
                environment: ProcessInfo.processInfo.environment.merging([Tools.mark: site.directory]) { $1 }
            ).finish(within: .seconds(180)).require(0).text
            #expect(
                text.replacing(/[0-9]+\.[0-9]+\.[0-9]+/, with: "V") == """
                    \(cpu)
                    Deptool V is installed: /work/installed/bin/deptool
                    V
                    All is well.
                      web1: over the system's ssh: only it follows RevokedHostKeys
                    web1 (new host)
                        add app
                            + file
                            + manifest.json
                            link /etc/app.conf -> file

                    """)
            #expect(try host.read("/etc/app.conf") == "two\n")
        }
    }
}
