import Foundation
import Testing

extension EndToEnd {
    /// What `make dist` built, installed into root file systems that never had a toolchain. `make test-dist` runs these.
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
        func `the Debian package installs, runs and goes`(flavour: Site.Flavour) throws {
            let text = try run(
                """
                inside sh -c 'dpkg --install /release/*.deb' >&2
                inside deptool self-check | tail -n 1
                inside dpkg --purge deptool >&2
                tree | diff before -
                """, in: flavour)
            #expect(text == "All is well.\n")
        }
    }
}
