import Model
import TestSupport
import Testing

@testable import Planning

/// The units that `Also=` adds.
@Suite struct AlsoEnabledTests {
    private func also(_ file: String, _ unit: String = "a.service") throws -> [String] {
        InstallSection(Array(file.utf8), of: try #require(UnitName(unit))).also.map(\.text)
    }

    @Test(arguments: [
        ("[Install]\nAlso=b.service c.socket\n", ["b.service", "c.socket"]),
        ("[Install]\nAlso=b.service\nAlso=c.timer", ["b.service", "c.timer"]),
        ("[Install]\r\n  Also \t=  b.service\t\r\n", ["b.service"]), ("[Install]\nAlso=b.service \\\n  # no\n\n", ["b.service"]),
        ("[Install]\nAlso=\\\nb.service \\\n; no\n c.socket\n", ["b.service", "c.socket"]),
        ("[Install]\n#Also=b.service\n;Also=c.service", []),
        ("[Service]\nAlso=b.service\n[Install]\n[Unit]\nAlso=c.service", []), ("[Unit]\n[Install]\nAlso=b.service", ["b.service"]),
        ("Also=b.service", []), ("[Install]\nalso=b.service\nAlsoX=c.service\nAlso", []),
        ("[Install]\nAlso=nonsense b.service /etc/c.service", ["b.service"]),
        ("[Install]\nAlso=a.service b.service b.service", ["b.service"]), ("", []),
    ])
    func `the section is read as systemd reads it`(file: String, expected: [String]) throws {
        #expect(try also(file) == expected)
    }

    @Test func `specifiers expand for the enabled unit`() throws {
        let file = "[Install]\nAlso=x@%i.service %p-y.service z-%N.service %p@%i.timer w@%b.service"
        #expect(try also(file, "a-b@c.service") == ["x@c.service", "a-b-y.service", "z-a-b@c.service", "a-b@c.timer"])
        #expect(try also("[Install]\nAlso=x@%i.service %p.socket", "d.service") == ["x@.service", "d.socket"])
    }

    @Test func `no unit file traps`() throws {
        var random = Seeded()
        let pieces = ["[Install]", "\n", "Also", "=", "b.service", " ", "\\", "#", ";", "[", "]", "%i", "%", "@", "\u{0}", "é", "\r"]
        for _ in 0..<2000 { _ = try also(random.list(upTo: 20) { $0.pick(pieces) }.joined(), random.pick(["a.service", "a@b.service"])) }
    }
}
