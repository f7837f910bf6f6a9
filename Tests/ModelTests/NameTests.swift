import Model
import Testing

@Suite struct NameTests {
    /// Every text of up to `length` of these characters.
    private func texts(of alphabet: String, upTo length: Int) -> [String] {
        var all = [""]
        var longest = [""]
        for _ in 0..<length {
            longest = longest.flatMap { text in alphabet.map { text + String($0) } }
            all += longest
        }
        return all
    }

    @Test func `a relative path has only proper components`() {
        for text in texts(of: "a./\n", upTo: 6) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            let isNormal = parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." } && !text.contains("\n")
            #expect(((try? RelativePath(text)) != nil) == isNormal, "\(text.debugDescription)")
            #expect(((try? AbsolutePath("/" + text)) != nil) == isNormal, "/\(text.debugDescription)")
            if !text.hasPrefix("/") { #expect((try? AbsolutePath(text)) == nil, "\(text.debugDescription)") }
        }
    }

    @Test(arguments: [
        ("", PathError.empty), ("/a", .absolute), ("a//b", .notNormal), ("a/", .notNormal), ("..", .notNormal),
        ("a/../b", .notNormal), (".", .notNormal), ("a\u{7f}", .controlCharacter), ("a\0b", .controlCharacter),
        (String(repeating: "a", count: 256), .tooLong), (String(repeating: "a/", count: 2000) + "a", .tooLong),
    ])
    func `an invalid relative path has a reason`(text: String, problem: PathError) {
        #expect(throws: problem) { try RelativePath(text) }
    }

    @Test(arguments: [
        ("", PathError.empty), ("a", .notAbsolute), ("/", .empty), ("//", .notNormal), ("/a/..", .notNormal),
        ("/etc/\u{1b}[2J", .controlCharacter),
    ])
    func `an invalid absolute path has a reason`(text: String, problem: PathError) {
        #expect(throws: problem) { try AbsolutePath(text) }
    }

    @Test(arguments: ["a", "...", "..a", "a..", ".a", "a/b.c/-d", "ä/ö ü", String(repeating: "a", count: 255)])
    func `unusual names are valid paths`(text: String) throws {
        #expect(try RelativePath(text).text == text)
        #expect(try AbsolutePath("/" + text).text == "/" + text)
    }

    @Test func `a path has a parent and a name`() throws {
        let path = try RelativePath("zones/example.com.zone")
        #expect(path.name == "example.com.zone")
        #expect(path.components == ["zones", "example.com.zone"])
        let here = try AbsolutePath("/etc/nsd").appending(path)
        #expect(here.text == "/etc/nsd/zones/example.com.zone")
        #expect(here.parent?.parent?.text == "/etc/nsd")
        #expect(try AbsolutePath("/etc").parent == nil)
        #expect(here.isInside(try AbsolutePath("/etc/nsd")))
        #expect(here.isInside(here))
        #expect(!here.isInside(try AbsolutePath("/etc/ns")))
        #expect(here.withSuffix(".new").text == here.text + ".new")
        #expect(here.sibling(".new").text == "/etc/nsd/zones/.new")
        #expect(try AbsolutePath("/etc").sibling("x").text == "/x")
        #expect(here.name == "example.com.zone")
    }

    @Test func `paths are ordered by their bytes`() throws {
        let texts = ["Z", "a", "a b", "a-b", "a/b", "ab", "z", "ä", "\u{10000}"]
        let paths = try texts.shuffled().map { try RelativePath($0) }
        #expect(paths.sorted().map(\.text) == texts)
    }

    @Test func `app names hold no characters that other programs interpret`() {
        for text in texts(of: "a0_-.@+/ ", upTo: 3) {
            let plain = !text.isEmpty && !text.contains("/") && !text.contains(" ")
            let first = text.first.map { "a0_".contains($0) } ?? false
            #expect((AppName(text) != nil) == (plain && first), "\(text.debugDescription)")
        }
        #expect(AppName(String(repeating: "a", count: 128)) != nil)
        #expect(AppName(String(repeating: "a", count: 129)) == nil)
        for text in ["ä", "a\u{301}", "a\n", "a\0", "a\\b", "a:b", "$a", "..", "a b"] { #expect(AppName(text) == nil) }
    }

    @Test func `host names are valid for ssh, and never an option`() {
        for text in ["web1", "web-1.example.com", "10.0.0.1", "a_b", "A", String(repeating: "a", count: 253)] {
            #expect(Hostname(text) != nil, "\(text)")
        }
        for text in ["", "-oProxyCommand=x", ".a", "_a", "a/b", "a b", "a@b", "::1", String(repeating: "a", count: 254)] {
            #expect(Hostname(text) == nil, "\(text)")
        }
    }

    @Test func `unit names have a suffix that can be enabled`() {
        for suffix in UnitName.suffixes {
            #expect(UnitName("a" + suffix) != nil)
            #expect(UnitName(suffix) == nil)
            #expect(UnitName("-a" + suffix) == nil)
        }
        for text in ["getty@tty1.service", "dev-disk-by\\x2dlabel-x.swap", "a:b.timer", "_x.service"] {
            #expect(UnitName(text) != nil, "\(text)")
        }
        for text in ["nsd", "nsd.conf", "nsd.service.d", "a/b.service", "a b.service", "a\n.service", "session.scope"] {
            #expect(UnitName(text) == nil, "\(text)")
        }
        #expect(UnitName(String(repeating: "a", count: 247) + ".service") != nil)
        #expect(UnitName(String(repeating: "a", count: 248) + ".service") == nil)
    }

    @Test func `a unit consists of its files and the drop-ins of systemd.unit(5)`() throws {
        func parts(_ unit: String, _ paths: [String]) throws -> [String] {
            let unit = try #require(UnitName(unit))
            return try paths.filter { unit.consists(of: try RelativePath($0)) }
        }
        let own = ["a-b-c.service", "a-b-c.service.d/x.conf", "a-b-.service.d/x.conf", "a-.service.d/x.conf", "service.d/x.conf"]
        let others = [
            "a-b.service", "a-b-.service", "a.service.d/x.conf", "a-b.service.d/x.conf", "b-c.service.d/x.conf", "-.service.d/x.conf",
            "a-b-c.socket.d/x.conf", "socket.d/x.conf", "a-b-c.service.d/x", "a-b-c.service.d/.x.conf", "a-b-c.service.d/y/x.conf",
            "a-b-c.service.d", "a-b-c@.service", "a-b-c@.service.d/x.conf", "a-b-c.d/x.conf", ".service.d/x.conf", "d/x.conf",
            "a-b-c-.service.d/x.conf",
        ]
        #expect(try parts("a-b-c.service", own + others) == own)
        let instance = [
            "a-b@c-d.socket", "a-b@.socket", "a-b@c-d.socket.d/x.conf", "a-b@.socket.d/x.conf", "a-@c-d.socket.d/x.conf",
            "a-@.socket.d/x.conf", "a-.socket.d/x.conf",
        ]
        #expect(
            try parts(
                "a-b@c-d.socket", instance + ["a-b@c-.socket.d/x.conf", "a-b.socket.d/x.conf", "a-b.socket", "a-b@e.socket"] + others)
                == instance + ["socket.d/x.conf"])
        #expect(try parts("a.mount", ["mount.d/x.conf", "a.mount", "a-.mount.d/x.conf"]) == ["mount.d/x.conf", "a.mount"])
    }

    @Test func `a link leads through the current version of its app`() throws {
        let app = try #require(AppName("nsd"))
        let link = Link(path: try AbsolutePath("/etc/nsd/nsd.conf"), app: app, source: try RelativePath("nsd.conf"))
        #expect(link.target.text == "/var/lib/deptool/apps/nsd/current/nsd.conf")
    }

    @Test func `files are read-only with any mode in the tree`() throws {
        let id = ObjectID.of(.blob, [])
        #expect(FileEntry(path: try RelativePath("a"), isExecutable: false, id: id).mode == 0o444)
        #expect(FileEntry(path: try RelativePath("a"), isExecutable: true, id: id).mode == 0o555)
    }
}
