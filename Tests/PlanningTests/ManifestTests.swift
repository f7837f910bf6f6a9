import Model
import Planning
import Testing

@Suite struct ManifestTests {
    @Test(arguments: ["{}", " {\n}\n", #"{"systemd": {}, "symlinks": {}}"#, #"{"systemd": {"units_enabled": []}}"#])
    func `an empty manifest is valid`(text: String) throws {
        #expect(try Manifest(parsing: Array(text.utf8)) == Manifest())
    }

    @Test func `units and links are sorted`() throws {
        let manifest = try Manifest(
            parsing: Array(
                #"""
                {
                  "symlinks": {"/etc/z": "a", "/etc/a/ä b": "dir/file", "/etc/a": "dir"},
                  "systemd": {"units_enabled": ["b@1.timer", "a.service", "_x.socket"]}
                }
                """#.utf8))
        #expect(manifest.units.map(\.text) == ["_x.socket", "a.service", "b@1.timer"])
        #expect(manifest.symlinks.map(\.path.text) == ["/etc/a", "/etc/a/ä b", "/etc/z"])
        #expect(manifest.symlinks.map(\.source.text) == ["dir", "dir/file", "a"])
    }

    @Test func `an app can be private`() throws {
        #expect(try Manifest(parsing: Array(#"{"private": false}"#.utf8)).readers == .everybody)
        #expect(try Manifest(parsing: Array(#"{"private": true}"#.utf8)).readers == .root)
        let group = try #require(GroupName("nsd"))
        #expect(try Manifest(parsing: Array(#"{"group": "nsd", "private": true}"#.utf8)).readers == .group(group))
    }

    @Test func `times are in seconds`() throws {
        let manifest = try Manifest(parsing: Array(#"{"settle": 0.25, "timeout": 300}"#.utf8))
        #expect(manifest.settle == .milliseconds(250))
        // Binary fractions cannot represent 0.55 exactly; it is 550 ms nevertheless.
        for (text, milliseconds) in [("0.55", 550), ("3599.999", 3_599_999), ("0.0004", 0), ("1.1", 1100)] {
            #expect(try Manifest(parsing: Array("{\"settle\": \(text)}".utf8)).settle == .milliseconds(milliseconds))
        }
        #expect(manifest.timeout == .seconds(300))
    }

    @Test(arguments: [
        ("", 1, "not valid JSON: expected a value"),
        ("{\n\"symlinks\" {}}", 2, "not valid JSON: expected ':' behind the key \"symlinks\""),
        ("[]", 1, "the file must be an object, not a list"),
        ("\n\"x\"", 2, "the file must be an object, not a string"),
        (#"{"systemd": 1}"#, 1, "'systemd' must be an object, not a number"),
        (#"{"systemd": null}"#, 1, "'systemd' must be an object, not null"),
        (#"{"symlinks": true}"#, 1, "'symlinks' must be an object, not true or false"),
        (#"{"symlinks": ["/a"]}"#, 1, "'symlinks' must be an object, not a list"),
        (
            "{\n \"unit\": {}}", 2,
            "unknown key 'unit'; there are 'systemd', 'symlinks', 'copies', 'settle', 'timeout', 'checks', 'check_timeout', 'requires', "
                + "'health', 'private' and 'group'"
        ),
        (#"{"systemd": {"enabled": []}}"#, 1, "unknown key 'systemd.enabled'; there are 'systemd.units_enabled' and 'systemd.on_change'"),
        (#"{"systemd": {"units_enabled": "a.service"}}"#, 1, "'systemd.units_enabled' must be a list, not a string"),
        (#"{"systemd": {"units_enabled": [{}]}}"#, 1, "'systemd.units_enabled' must be unit names, not an object"),
        (
            "{\"systemd\": {\"units_enabled\": [\n\"a.service\",\n\"b\"]}}", 3,
            "'b' is not the name of a systemd unit, such as 'nginx.service'"
        ),
        (
            #"{"systemd": {"units_enabled": ["../a.service"]}}"#, 1,
            "'../a.service' is not the name of a systemd unit, such as 'nginx.service'"
        ),
        (#"{"systemd": {"units_enabled": ["-a.service"]}}"#, 1, "'-a.service' is not the name of a systemd unit, such as 'nginx.service'"),
        (
            "{\"systemd\": {\"units_enabled\": [\n\"work@.service\"]}}", 2,
            "'work@.service' is a template, which cannot run; list an instance of it, such as 'work@1.service'"
        ),
        (
            #"{"systemd": {"units_enabled": ["a@.timer"]}}"#, 1,
            "'a@.timer' is a template, which cannot run; list an instance of it, such as 'a@1.timer'"
        ),
        (
            #"{"systemd": {"units_enabled": ["a@b.mount"]}}"#, 1,
            "'a@b.mount' cannot exist: a unit of the type 'mount' is never made from a template"
        ),
        (
            #"{"systemd": {"units_enabled": ["a@.slice"]}}"#, 1,
            "'a@.slice' cannot exist: a unit of the type 'slice' is never made from a template"
        ),
        (#"{"systemd": {"units_enabled": ["-.mount"]}}"#, 1, "'-.mount' is always there, and cannot be enabled; take it out of the list"),
        (
            #"{"systemd": {"units_enabled": ["session-1.scope"]}}"#, 1,
            "'session-1.scope' is made by a program for its processes, and cannot be enabled; list a service instead"
        ),
        (
            #"{"systemd": {"units_enabled": ["dev-sda1.device"]}}"#, 1,
            "'dev-sda1.device' comes and goes with the device, and cannot be enabled; list a unit that binds to it"
        ),
        (#"{"systemd": {"units_enabled": [".service"]}}"#, 1, "'.service' is not the name of a systemd unit, such as 'nginx.service'"),
        ("{\"systemd\": {\"units_enabled\": [\"a.service\",\n\"a.service\"]}}", 2, "the unit a.service is listed twice"),
        ("{\"symlinks\": {},\n\"symlinks\": {}}", 2, "the key 'symlinks' is listed twice"),
        (#"{"symlinks": {"/a": "b", "/a": "c"}}"#, 1, "the key '/a' is listed twice"),
        (#"{"symlinks": {"/a": 1}}"#, 1, "'symlinks./a' must be a path in the app, not a number"),
        (#"{"symlinks": {"etc/a": "b"}}"#, 1, "the link 'etc/a' is not a valid path: it does not start with '/'"),
        (#"{"symlinks": {"": "b"}}"#, 1, "the link '' is not a valid path: it is empty"),
        (#"{"symlinks": {"/": "b"}}"#, 1, "the link '/' is not a valid path: it is empty"),
        (
            #"{"symlinks": {"/etc/../a": "b"}}"#, 1,
            "the link '/etc/../a' is not a valid path: it has an empty, '.' or '..' component"
        ),
        (
            #"{"symlinks": {"/etc/a/": "b"}}"#, 1,
            "the link '/etc/a/' is not a valid path: it has an empty, '.' or '..' component"
        ),
        (#"{"symlinks": {"/etc/a": "/b"}}"#, 1, "the link source '/b' is not a path in the app: it starts with '/'"),
        (#"{"symlinks": {"/etc/a": ""}}"#, 1, "the link source '' is not a path in the app: it is empty"),
        (
            #"{"symlinks": {"/etc/a": "b/../../c"}}"#, 1,
            "the link source 'b/../../c' is not a path in the app: it has an empty, '.' or '..' component"
        ),
        (#"{"symlinks": {"/etc/a": "b\u0000"}}"#, 1, "the link source 'b\0' is not a path in the app: it has a control character"),
        (#"{"private": "yes"}"#, 1, "'private' must be true or false, not a string"),
        (#"{"private": true, "group": 3}"#, 1, "'group' must be a group's name, not a number"),
        (#"{"private": true, "group": "a:b"}"#, 1, "'a:b' is not the name of a group"),
        ("{\n\"group\": \"nsd\"}", 2, #"'group' names further readers of a private app, and this one is not: add "private": true"#),
        (
            "{\"private\": false,\n\"group\": \"nsd\"}", 2,
            #"'group' names further readers of a private app, and this one is not: add "private": true"#
        ),
        (#"{"settle": "3"}"#, 1, "'settle' must be a number of seconds from 0 to 3600, not a string"),
        (#"{"settle": -1}"#, 1, "'settle' must be a number of seconds from 0 to 3600, not -1"),
        (#"{"settle": 1e999}"#, 1, "'settle' must be a number of seconds from 0 to 3600, not 1e999"),
        ("{\n\"timeout\": 0}", 2, "'timeout' must be a whole number of seconds from 1 to 86400, not 0"),
        (#"{"timeout": 1.5}"#, 1, "'timeout' must be a whole number of seconds from 1 to 86400, not 1.5"),
        (#"{"timeout": 86401}"#, 1, "'timeout' must be a whole number of seconds from 1 to 86400, not 86401"),
    ])
    func `errors in a manifest have a phrase and a line`(text: String, line: Int, phrase: String) {
        let problem = #expect(throws: FormatError.self) { try Manifest(parsing: Array(text.utf8)) }
        #expect(problem?.phrase == phrase)
        #expect(problem?.line == line)
    }

    @Test func `options of a host are read`() throws {
        #expect(try HostOptions(parsing: Array("{}".utf8)) == HostOptions())
        #expect(try HostOptions(parsing: Array(#"{"hostname": "ns1.example.com"}"#.utf8)).hostname == "ns1.example.com")
    }

    @Test(arguments: [
        ("", 1, "not valid JSON: expected a value"),
        ("3", 1, "the file must be an object, not a number"),
        (#"{"hostname": 3}"#, 1, "'hostname' must be a string, not a number"),
        ("{\"hostname\": \"a\",\n\"name\": \"b\"}", 2, "unknown key 'name'; there are 'hostname' and 'identity'"),
        (
            #"{"identity": "ssh-ed25519 AAAA"}"#, 1,
            "'identity' is not the public half of an ed25519 key, such as 'ssh-ed25519 AAAA…', without a comment"
        ),
        (#"{"hostname": "a", "hostname": "a"}"#, 1, "the key 'hostname' is listed twice"),
    ])
    func `errors in a host's options have a phrase and a line`(text: String, line: Int, phrase: String) {
        let problem = #expect(throws: FormatError.self) { try HostOptions(parsing: Array(text.utf8)) }
        #expect(problem?.phrase == phrase)
        #expect(problem?.line == line)
    }
}
