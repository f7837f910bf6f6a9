import Foundation
import Testing

/// The keys of a manifest, as a message names them.
private let keys =
    "there are 'systemd', 'symlinks', 'copies', 'settle', 'timeout', 'checks', 'check_timeout', 'requires', 'health', 'private' and 'group'"

/// Input that cannot be planned with: one message that names the place, exit status 1, and no host is spoken to.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class BadInputTests {
    private let site: Site
    private let cluster: Cluster

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
    }

    /// Applies a mistake to the tree, and expects the message from a plan and from a deploy. `PROD` in it stands for the
    /// tree's directory.
    @Test func `all mistakes are shown at once, with paths as they were typed`() throws {
        try cluster.write("web1/a/manifest.json", "{")
        try cluster.write("web1/b/manifest.json", #"{"symlinks": {"/etc/x": "none"}}"#)
        try cluster.write("web1/good/file", "")
        try cluster.write("web2/app/file", "")
        try cluster.write("web2/host.json", "[]")
        func mistakes(_ prefix: String) -> String {
            """
            Error: the config tree has 3 mistakes
                \(prefix)web1/a/manifest.json:1: not valid JSON: expected a key in quotes
                \(prefix)web1/b/manifest.json: the link '/etc/x' points to 'none', which the app does not have
                \(prefix)web2/host.json:1: the file must be an object, not a list

            """
        }
        let absolute = cluster.directory + "/prod"
        for (directory, arguments, prefix) in [
            ("", [], "prod/"), ("", ["prod"], "prod/"), ("", ["prod//"], "prod/"), ("", ["./prod"], "./prod/"),
            ("", [absolute], absolute + "/"),
            ("/prod", [], ""), ("/prod", ["."], ""), ("/prod", ["../prod"], "../prod/"), ("/prod/web1", [], absolute + "/"),
            ("/prod/web1", [".."], absolute + "/"),
        ] {
            let output = try Program(
                [Tools.deptool, "plan"] + arguments, in: cluster.directory + directory, environment: cluster.environment
            ).finish().require(1)
            expect(output.errors, is: mistakes(prefix))
        }
        // Likewise for files that cannot be imported.
        try cluster.run("mkfifo prod/web1/a/pipe prod/web1/b/pipe prod/web2/app/pipe; mkdir 'prod/web1/c d'")
        expect(
            try cluster.deptool("plan").require(1).errors,
            is: """
                warning: prod/web1/c d has no files, so there is no such app
                Error: the config tree has 4 mistakes
                    prod/web1/a/pipe is a FIFO
                    prod/web1/b/pipe is a FIFO
                    prod/web1: 'c d' is not the name of an app
                    prod/web2/app/pipe is a FIFO
                \(Self.fileRule)
                \(Self.appRule)

                """)
    }

    private func expectRefusal(
        _ message: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let expected = "Error: " + message.replacing("PROD", with: "prod") + "\n"
        // Were ssh asked about a host, it would complain of this.
        cluster.sshConfiguration = "/nonexistent"
        for output in [try cluster.deptool("plan"), try cluster.deploy()] {
            expect(output.errors, is: expected, sourceLocation: sourceLocation)
            #expect(output.code == 1, sourceLocation: sourceLocation)
            #expect(output.text == "", sourceLocation: sourceLocation)
        }
        #expect(try cluster.references() == "", sourceLocation: sourceLocation)
    }

    private func addApp(_ place: String, manifest: String? = nil) throws {
        try cluster.write("\(place)/site.conf", "listen 80\n")
        if let manifest { try cluster.write("\(place)/manifest.json", manifest) }
    }

    @Test(arguments: [
        (
            #"{"systemd": {}, "sytemd": {}}"#,
            "1: unknown key 'sytemd'; \(keys)"
        ),
        (#"{"systemd": {"units": []}}"#, "1: unknown key 'systemd.units'; there are 'systemd.units_enabled' and 'systemd.on_change'"),
        ("{\n  \"systemd\": []\n}", "2: 'systemd' must be an object, not a list"),
        (#"{"systemd": {"units_enabled": "a.service"}}"#, "1: 'systemd.units_enabled' must be a list, not a string"),
        (#"{"systemd": {"units_enabled": [1]}}"#, "1: 'systemd.units_enabled' must be unit names, not a number"),
        (#"{"systemd": {"units_enabled": ["web"]}}"#, "1: 'web' is not the name of a systemd unit, such as 'nginx.service'"),
        (#"{"systemd": {"units_enabled": ["a.path", "a.path"]}}"#, "1: the unit a.path is listed twice"),
        (#"{"symlinks": {"/etc/x": true}}"#, "1: 'symlinks./etc/x' must be a path in the app, not true or false"),
        ("[]", "1: the file must be an object, not a list"),
        ("systemd: {}", "1: not valid JSON: expected a value"),
        ("{\"systemd\": {}\n", "2: not valid JSON: expected ',' or '}'"),
        ("", "1: not valid JSON: expected a value"),
        (
            "{\"\\u001b[2J\": 1}",
            "1: unknown key '^[[2J'; \(keys)"
        ),
    ])
    func `an invalid manifest is refused, with the line`(manifest: String, message: String) throws {
        try addApp("web1/nginx", manifest: manifest)
        try expectRefusal("prod/web1/nginx/manifest.json:" + message)
    }

    @Test(arguments: [
        ("etc/x", "site.conf", ":1: the link 'etc/x' is not a valid path: it does not start with '/'"),
        (
            "/etc/../x", "site.conf",
            ":1: the link '/etc/../x' is not a valid path: it has an empty, '.' or '..' component"
        ),
        (
            "/etc/x", "../site.conf",
            ":1: the link source '../site.conf' is not a path in the app: it has an empty, '.' or '..' component"
        ),
        ("/etc/x", "/site.conf", ":1: the link source '/site.conf' is not a path in the app: it starts with '/'"),
        ("/etc/x", "other.conf", ": the link '/etc/x' points to 'other.conf', which the app does not have"),
        (
            "/etc/systemd/system/x.service", "site.conf",
            ": the link '/etc/systemd/system/x.service' is in a directory that Deptool manages; put the file into the "
                + "app's 'systemd/' instead"
        ),
        (
            "/etc/containers/systemd/x.container", "site.conf",
            ": the link '/etc/containers/systemd/x.container' is in a directory that Deptool manages; put the file into "
                + "the app's 'quadlets/' instead"
        ),
        ("/var/lib/deptool/x", "site.conf", ": the link '/var/lib/deptool/x' is in Deptool's own directory"),
    ])
    func `a link that cannot be made is refused`(path: String, source: String, message: String) throws {
        try addApp("web1/nginx", manifest: #"{"symlinks": {"\#(path)": "\#(source)"}}"#)
        try expectRefusal("prod/web1/nginx/manifest.json" + message)
    }

    @Test func `two apps cannot claim the same link`() throws {
        for app in ["nginx", "caddy"] {
            try addApp("web1/\(app)", manifest: #"{"symlinks": {"/etc/site.conf": "site.conf"}}"#)
        }
        try expectRefusal("prod/web1/nginx/manifest.json: the link '/etc/site.conf' is also claimed by the app 'caddy'")
    }

    @Test func `a link cannot lie behind another`() throws {
        try addApp("web1/nginx", manifest: #"{"symlinks": {"/etc/site/conf": "site.conf"}}"#)
        try cluster.write("web1/caddy/dir/file", "")
        try cluster.write("web1/caddy/manifest.json", #"{"symlinks": {"/etc/site": "dir"}}"#)
        try expectRefusal(
            "prod/web1/nginx/manifest.json: the link '/etc/site/conf' would lie behind the link '/etc/site' of the app 'caddy'")
    }

    @Test func `two apps cannot enable the same unit`() throws {
        for app in ["nginx", "caddy"] {
            try addApp("web1/\(app)", manifest: #"{"systemd": {"units_enabled": ["web.service"]}}"#)
        }
        try expectRefusal("prod/web1/nginx/manifest.json: the unit 'web.service' is also enabled by the app 'caddy'")
    }

    @Test func `two apps cannot bring the same unit file`() throws {
        for app in ["nginx", "caddy"] { try cluster.write("web1/\(app)/systemd/web.service", "") }
        try expectRefusal(
            "prod/web1/nginx/systemd/web.service: the link '/etc/systemd/system/web.service' is also claimed by the app 'caddy'")
    }

    @Test func `directories in systemd that are not drop-ins are refused`() throws {
        try cluster.write("web1/nginx/systemd/units/web.service", "")
        try expectRefusal(
            "prod/web1/nginx/systemd/units/web.service: 'systemd/' holds files, and directories 'NAME.d' with files; nothing deeper")
    }

    private static let hostRule =
        "The cluster's directory holds one directory per host. A host's name has letters, digits, '.', '-' and '_' and "
        + "starts with a letter or digit; directories that start with '.' are left out."
    private static let appRule =
        "A host's directory holds one directory per app. An app's name has letters, digits, '.', '-', '_', '@' and '+' and "
        + "starts with a letter, digit or '_'; directories that start with '.' are left out. Deptool keeps the name 'deptool-left' for itself."
    private static let fileRule = "Apps hold files and directories with plain names. Rename or remove it."

    @Test(arguments: [
        ("web 1/nginx/f", "'web 1' is not the name of a host\n" + hostRule),
        ("-web/nginx/f", "'-web' is not the name of a host\n" + hostRule),
        (
            "a..b/nginx/f",
            "'a..b' cannot be the name of a host\nA host's name may not hold '..' or end in '.' or '.lock', because Git "
                + "references may not. Rename the directory, and set the real name as HostName in ~/.ssh/config."
        ),
        ("web1/ng inx/f", "prod/web1: 'ng inx' is not the name of an app\n" + appRule),
        ("web1/nginx/.git/config", "prod/web1/nginx/.git cannot be deployed: Git cannot store that name\n" + fileRule),
        ("web1/nginx/a\nb", "prod/web1/nginx/a\\x0ab cannot be deployed: it has a control character\n" + fileRule),
    ])
    func `invalid names are refused`(path: String, message: String) throws {
        try cluster.write(path, "")
        try expectRefusal(message)
    }

    @Test(arguments: [
        (["h\u{FF}"], "'h\\xff' is not the name of a host\n" + hostRule),
        (["web1", "p\u{FF}"], "prod/web1: 'p\\xff' is not the name of an app\n" + appRule),
        (["web1", "nginx", "a\u{FF}"], "prod/web1/nginx/a\\xff cannot be deployed: its name is not UTF-8\n" + fileRule),
    ])
    func `names that are not UTF-8 are refused`(path: [String], message: String) throws {
        // Swift's strings are UTF-8; a C string need not be.
        var directory = "\(cluster.directory)/prod"
        for name in path {
            directory += "/\(name)"
            let bytes = directory.unicodeScalars.map { CChar(bitPattern: UInt8($0.value)) } + [0]
            #expect(mkdir(bytes, 0o755) == 0)
            if path.count == 3, name == path.last { #expect(rmdir(bytes) == 0 && creat(bytes, 0o644) >= 0) }
            if path.count == 2, name == path.last { #expect(creat(bytes.dropLast() + [47, 102, 0], 0o644) >= 0) }
        }
        try expectRefusal(message)
    }

    @Test(arguments: [
        ("mkfifo web1/nginx/pipe", "prod/web1/nginx/pipe is a FIFO\n" + fileRule)
    ])
    func `an entry that is neither a file nor a directory is refused`(command: String, message: String) throws {
        try addApp("web1/nginx")
        try Program(
            ["sh", "-c", command], in: "\(cluster.directory)/prod", environment: cluster.environment
        ).finish().require(0)
        try expectRefusal(message)
    }

    @Test(.enabled(if: getuid() == 0, "only root may make a device"))
    func `a device is refused`() throws {
        try addApp("web1/nginx")
        #expect(mknod("\(cluster.directory)/prod/web1/nginx/null", S_IFCHR | 0o600, 0x103) == 0)
        try expectRefusal("prod/web1/nginx/null is a device\n" + Self.fileRule)
    }

    @Test(arguments: [
        (#"{"host": "x"}"#, "unknown key 'host'; there are 'hostname' and 'identity'"),
        (#"{"hostname": 1}"#, "'hostname' must be a string, not a number"),
    ])
    func `an invalid host file is refused`(content: String, message: String) throws {
        try addApp("web1/nginx")
        try cluster.write("web1/host.json", content)
        try expectRefusal("prod/web1/host.json:1: " + message)
    }

    @Test func `an empty tree is refused`() throws {
        try expectRefusal(
            "there are no hosts in PROD\nMake a directory per host, and in it one per app, such as PROD/web1/nginx/nginx.conf.")
    }

    @Test func `a missing tree is refused`() throws {
        try cluster.remove("")
        try expectRefusal("there is no directory PROD\nName the cluster's directory, which holds one directory per host.")
    }

    @Test func `one invalid host prevents the deploy of the others`() throws {
        try addApp("web1/nginx")
        try addApp("web2/nginx", manifest: "[]")
        try expectRefusal("prod/web2/nginx/manifest.json:1: the file must be an object, not a list")
    }

    // MARK: The store

    @Test func `without a store, the message points to init`() throws {
        let cluster = try Cluster(site, of: "Bob", isInitialized: false)
        let output = try cluster.deptool("plan")
        expect(
            output.errors,
            is: """
                Error: no store in \(cluster.directory) or a parent directory
                Run `deptool init` in the directory that should hold the store, or name one with DEPTOOL_STORE.

                """)
        #expect(output.code == 1)
    }

    @Test func `without a default cluster, the message has both ways to name one`() throws {
        let cluster = try Cluster(site, of: "Bob", isInitialized: false)
        try cluster.deptool("init").require(0)
        let output = try cluster.deptool("plan")
        expect(
            output.errors,
            is: """
                Error: no default cluster
                Name the cluster's directory, as in `deptool plan prod`, or make one the default with `deptool init prod`.

                """)
        #expect(output.code == 1)
    }

    @Test func `a directory that is not a store is neither used nor overwritten`() throws {
        let cluster = try Cluster(site, of: "Bob", isInitialized: false)
        try cluster.write(outside: ".deptool/notes", "mine\n")
        for command in ["plan", "init"] {
            let output = try cluster.deptool(command)
            expect(
                output.errors,
                is: """
                    Error: \(cluster.directory)/.deptool is not a store
                    A store is a bare Git repository. Move \(cluster.directory)/.deptool away, then run `deptool init`.

                    """)
            #expect(output.code == 1)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(cluster.directory)/.deptool") == ["notes"])
    }

    @Test func `a store named by DEPTOOL_STORE must exist`() throws {
        cluster.environment["DEPTOOL_STORE"] = "\(cluster.directory)/gone"
        let output = try cluster.deptool("plan")
        expect(
            output.errors,
            is: """
                Error: there is no store at \(cluster.directory)/gone
                Run `deptool init` in the directory that should hold the store, or name one with DEPTOOL_STORE.

                """)
        #expect(output.code == 1)
    }

    @Test func `a limit that no host matches lists the hosts`() throws {
        try addApp("web1/nginx")
        try addApp("web2/nginx")
        let output = try cluster.deptool("plan", "--limit", "db*,web1,mail")
        expect(output.errors, is: "Error: no host matches 'db*', 'mail'\nThe hosts are: web1, web2\n")
        #expect(output.code == 1)
    }
}
