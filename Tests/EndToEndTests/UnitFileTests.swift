import Foundation
import Model
import Testing

extension EndToEnd {
    /// The files of a unit, as in systemd.
    @Suite final class UnitFileTests {
        let site: Site
        let cluster: Cluster

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
        }

        @Test(arguments: [Site.Flavour.debian12, .debian13])
        func `a unit consists of the drop-ins that systemd reads for it`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            var names: [String] = []
            for prefix in ["a", "a-b", "a-b-c", "a-", "a--b", "b-c", #"a\x2db"#, "a:b", "a.b", "a-b-"] {
                for instance in ["", "@", "@i", "@i-j", "@i@j"] { names += ["service", "socket"].map { prefix + instance + "." + $0 } }
            }
            let files = names.map { "\($0).d/\($0).conf" } + ["service", "socket", "timer", "a"].map { "\($0).d/\($0).conf" }
            let units = names.filter { !$0.contains("@.") }
            try cluster.write(outside: "names", names.joined(separator: "\n") + "\n")
            try host.write("/root/names", names.joined(separator: "\n").replacing("\\", with: "\\\\") + "\n")
            try host.run(
                #"""
                cd /etc/systemd/system
                mk() { mkdir "./$1.d" && >"./$1.d/$1.conf"; }
                printf %b "$(cat /root/names)\n" >/root/all
                while read -r name; do
                    mk "$name"
                    case $name in
                        *@?*.*) ;;
                        *.service) printf '[Service]\nExecStart=/bin/true\n' >"./$name" ;;
                        *.socket) printf '[Socket]\nListenStream=/run/x\nService=x.service\n' >"./$name" ;;
                    esac
                done </root/all
                for type in service socket timer a; do mk $type; done
                systemctl daemon-reload
                """#)
            let shown = try host.run(
                "grep -v '@[.]' /root/all | while read -r name; do systemctl show --property=DropInPaths --value -- \"$name\"; done"
            )
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            try #require(shown.count == units.count)
            for (name, line) in zip(units, shown) {
                let unit = try #require(UnitName(name))
                let read = Set(
                    line.split(separator: " ").map {
                        String($0).replacing("\"", with: "").replacing("/etc/systemd/system/", with: "").replacing("\\\\", with: "\\")
                    })
                let known = try Set(files.filter { unit.consists(of: try RelativePath($0)) })
                #expect(known == read, "\(name)")
            }
        }

        @Test(arguments: [Site.Flavour.debian12, .debian13])
        func `a drop-in for a prefix of another app reaches the process, and an undo removes it`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            try cluster.write("web1/shop/manifest.json", #"{"systemd": {"units_enabled": ["shop-web.service"]}}"#)
            try cluster.write(
                "web1/shop/systemd/shop-web.service",
                "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n")
            try cluster.write("web1/limits/systemd/shop-.service.d/10.conf", "[Service]\nEnvironment=STAGE=one\n")
            try cluster.deploy().require(0)
            func stage() throws -> String {
                try host.run("tr '\\0' '\\n' </proc/$(systemctl show --value -p MainPID shop-web)/environ | sed -n s/^STAGE=//p")
            }
            #expect(try stage() == "one\n")
            try cluster.write("web1/limits/systemd/shop-.service.d/10.conf", "[Service]\nEnvironment=STAGE=two\n")
            let plan = try cluster.deptool("plan").text
            #expect(plan.contains("restart unit shop-web.service (limits/systemd/shop-.service.d/10.conf changed)"), "\(plan)")
            try cluster.deploy().require(0)
            #expect(try stage() == "two\n")
            try cluster.deptool("undo", "--no-confirm", "--ssh-config", cluster.sshConfiguration).require(0)
            #expect(try stage() == "one\n")
            // A repair brings it back, to the process as well.
            try host.run(
                "echo '[Service]' >/etc/systemd/system/shop-.service.d/10.conf; systemctl daemon-reload; systemctl restart shop-web")
            #expect(try stage() == "")
            #expect(
                try cluster.deptool("verify", "--ssh-config", cluster.sshConfiguration).text.contains("shop-.service.d/10.conf was edited"))
            try cluster.write("web1/limits/systemd/shop-.service.d/10.conf", "[Service]\nEnvironment=STAGE=one\n")
            try cluster.deploy("--repair").require(0)
            #expect(try stage() == "one\n")
        }

        @Test(arguments: [Site.Flavour.debian12, .debian13])
        func `a change of a README leaves a mount, slice or path alone`(flavour: Site.Flavour) throws {
            let host = try site.boot("web1", flavour)
            let units = ["mnt-data.mount", "data.slice", "data.path", "data.target"]
            try cluster.write(
                "web1/data/manifest.json",
                #"{"systemd": {"units_enabled": ["mnt-data.mount", "data.slice", "data.path", "data.target"]}}"#)
            let install = "[Install]\nWantedBy=multi-user.target\n"
            try cluster.write("web1/data/systemd/mnt-data.mount", "[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/mnt/data\n" + install)
            try cluster.write("web1/data/systemd/data.slice", install)
            try cluster.write("web1/data/systemd/data.path", "[Path]\nPathExists=/nowhere\n" + install)
            try cluster.write("web1/data/systemd/data.service", "[Service]\nExecStart=/bin/true\n")
            try cluster.write("web1/data/systemd/data.target", install)
            try cluster.deploy().require(0)
            func invocations() throws -> [String] { try units.map { try host.invocation(of: $0) } }
            let before = try invocations()
            // A file system that is in use cannot be unmounted.
            try host.run("touch /mnt/data/kept")
            try cluster.write("web1/data/README", "What this is for.\n")
            let output = try cluster.deploy().require(0)
            #expect(!output.text.contains("restart"), "\(output)")
            #expect(try invocations() == before)
            #expect(try host.run("ls /mnt/data") == "kept\n")
            // Their own files, drop-ins included, are another matter.
            try cluster.write("web1/data/systemd/slice.d/10.conf", "[Slice]\nTasksMax=1000\n")
            try cluster.write("web1/data/systemd/mnt-data.mount.d/10.conf", "[Mount]\nOptions=size=1m\n")
            try cluster.deploy().require(0)
            let after = try invocations()
            #expect(zip(before, after).map { $0 != $1 } == [true, true, false, false])
            #expect(try host.run("stat -fc %b:%S /mnt/data") == "256:4096\n")
        }
    }
}
