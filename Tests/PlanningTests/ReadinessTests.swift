import Model
import TestSupport
import Testing

@testable import Planning

/// Units without a readiness check.
@Suite struct ReadinessTests {
    private func plan(
        _ unit: String, _ manifest: String = "", path: String = "systemd/a.service", from old: String? = nil, more: [String: String] = [:]
    ) throws -> HostPlan {
        var blobs: [ObjectID: [UInt8]] = [:]
        func host(_ unit: String) throws -> HostTree {
            let files = ["manifest.json": #"{"systemd": {"units_enabled": ["a.service"]}\#(manifest)}"#, path: unit].merging(more) { $1 }
            for content in files.values { blobs[.of(.blob, Array(content.utf8))] = Array(content.utf8) }
            return try tree(["app": files])
        }
        let (was, will) = (try old.map(host), try host(unit))
        return try #require(HostPlan(base: nil, deployed: was, wanted: will) { blobs[$0.id] })
    }

    private func unjudged(
        _ unit: String, _ manifest: String = "", path: String = "systemd/a.service", from old: String? = nil, more: [String: String] = [:]
    ) throws -> [String] {
        try plan(unit, manifest, path: path, from: old, more: more).unjudged.map(\.text)
    }

    @Test func `a unit that nothing starts at boot is named once, when it is new or its file changes`() throws {
        let unit = "[Service]\nType=oneshot\nExecStart=/bin/a\n", install = "[Install]\nWantedBy=multi-user.target\n"
        func named(_ new: String, from old: String? = nil, more: [String: String] = [:]) throws -> [String] {
            try plan(new, from: old, more: more).withoutInstall.map(\.text)
        }
        #expect(try named(unit) == ["a.service"])
        #expect(try named(unit, from: unit + install) == ["a.service"])
        #expect(try named(unit + "[Install]\nWantedBy=\n") == ["a.service"])
        #expect(try named(unit + "[Install]\nAlias=b.service\n") == [])
        #expect(try named(unit + install, from: unit) == [])
        #expect(try named(unit, more: ["systemd/a.service.d/1.conf": install]) == [])
    }

    private static let start = "ExecStart=/bin/a\n"

    @Test(arguments: [
        "[Service]\n\(start)", "[Service]\nType=simple\n\(start)", "[Service]\nType=exec\n\(start)", "[Service]\nType=idle\n\(start)",
        "[Service]\nType=notify\n\(start)Type=simple\n",
    ])
    func `a service without a readiness check is named`(unit: String) throws {
        #expect(try unjudged(unit) == ["a.service"])
        #expect(try unjudged(unit, from: unit + "Restart=always\n") == ["a.service"])
        #expect(try unjudged(unit, from: unit + "# It runs on.\n") == [])
        // Something else shows readiness.
        #expect(try unjudged(unit, #", "health": [{"tcp": "127.0.0.1:80"}]"#) == [])
        #expect(try unjudged(unit, #", "settle": 5"#) == [])
        #expect(try unjudged(unit, more: ["systemd/a.service.d/1.conf": "[Service]\nType=notify\n"]) == [])
    }

    @Test(arguments: [
        "[Service]\nType=notify\n\(start)", "[Service]\nType=notify-reload\n\(start)", "[Service]\nType=oneshot\n\(start)",
        "[Service]\nType=forking\n\(start)", "[Service]\nType=dbus\n\(start)", "[Service]\nBusName=a.b\n\(start)",
        "[Service]\nExecStop=/bin/a\n",
    ])
    func `a service with a readiness check of its own is not named`(unit: String) throws {
        #expect(try unjudged(unit) == [])
    }

    @Test func `a container is named unless Notify= makes it signal readiness`() throws {
        for (keys, isNamed) in [("", true), ("Notify=false\n", true), ("Notify=true\n", false), ("Notify=healthy\n", false)] {
            let named = try unjudged("[Container]\nImage=a\n\(keys)", path: "quadlets/a.container")
            #expect(named == (isNamed ? ["a.service"] : []), "\(keys)")
        }
    }

    @Test func `a unit that the app does not list is not named`() throws {
        #expect(try unjudged("[Service]\n\(Self.start)", path: "systemd/b.service") == [])
    }
}
