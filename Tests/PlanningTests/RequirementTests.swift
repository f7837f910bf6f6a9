import Model
import Planning
import TestSupport
import Testing

/// The key `requires` of a manifest.
@Suite struct RequirementTests {
    private func requires(_ json: String) throws -> [String] {
        try Manifest(parsing: Array(#"{"requires": \#(json)}"#.utf8)).requires.map(\.phrase)
    }

    @Test func `all kinds of requirements are read`() throws {
        #expect(
            try requires(
                #"{"programs": ["rsync", "/usr/bin/rsync"], "packages": ["nginx", "libssl3 (>= 3.0.11-1~deb12u2)", "g++ (= 4:12)", "a1 (<<2)"], "systemd": 254}"#
            ) == [
                "program rsync", "program /usr/bin/rsync", "package nginx", "package libssl3 (>= 3.0.11-1~deb12u2)", "package g++ (= 4:12)",
                "package a1 (<< 2)", "systemd 254 or later",
            ])
        #expect(try requires("{}") == [])
    }

    /// Nothing of a manifest must get past the quotes of a shell.
    @Test(arguments: [
        #"{"programs": [""]}"#, #"{"programs": ["a b"]}"#, #"{"programs": ["$(id)"]}"#, #"{"programs": ["`id`"]}"#,
        #"{"programs": ["bin/a"]}"#,
        #"{"programs": ["-v"]}"#, #"{"programs": ["a\"; id; \""]}"#, #"{"programs": ["/"]}"#, #"{"programs": ["a\nb"]}"#,
        #"{"programs": "a"}"#,
        #"{"programs": [1]}"#, #"{"packages": ["N"]}"#, #"{"packages": ["n"]}"#, #"{"packages": ["nginx 1.22"]}"#,
        #"{"packages": ["nginx (>= )"]}"#,
        #"{"packages": ["nginx (>= x)"]}"#, #"{"packages": ["nginx (~ 1)"]}"#, #"{"packages": ["nginx (>= 1) | apache2"]}"#,
        #"{"packages": ["nginx (>= 1\")"]}"#, #"{"packages": ["nginx", "nginx"]}"#, #"{"systemd": 0}"#, #"{"systemd": "254"}"#,
        #"{"systemd": 1.5}"#,
        #"{"kernel": 6}"#, "[]", #"{"programs": ["caf\#u{e9}"]}"#,
    ])
    func `invalid names and shell metacharacters are refused`(json: String) {
        #expect(throws: FormatError.self) { try requires(json) }
    }

    @Test func `requirements become one check, and other commands stay checks`() throws {
        let manifest = #"{"requires": {"programs": ["rsync"], "packages": ["nginx (>= 1.22)", "podman"], "systemd": 254}}"#
        let steps = try steps(from: [:], to: ["a": ["manifest.json": manifest]]) ?? []
        #expect(steps.count { $0.contains("validate /bin/sh -c r=0; ") } == 1)
        #expect(Requirement.parse(["/bin/sh", "-c", "r=0", "requires", "program", "x", "", ""]) == nil)
        #expect(Requirement.parse([]) == nil)
    }

    /// A manifest can have such commands as checks. No plan may show another command than the one that runs, nor raw control characters.
    @Test func `a check that resembles a requirement or an optional check is shown unchanged`() throws {
        func validates(_ manifest: String, _ files: [String: String] = [:]) throws -> [[String]] {
            let wanted = try tree(["a": ["manifest.json": manifest].merging(files) { $1 }])
            let plan = HostPlan(base: nil, deployed: nil, wanted: wanted, safety: Safety(guard: .never))
            return (plan?.steps ?? []).compactMap { if case .validate(let words, _) = $0.action { words } else { nil } }
        }
        let required = try #require(try validates(#"{"requires": {"programs": ["rsync"], "packages": ["nginx (>= 1.22)"]}}"#).first)
        #expect(Requirement.parse(required) == [.program("rsync"), .package("nginx", relation: ">=", version: "1.22")])
        for word in ["\u{1b}]0;x\u{7}", "a\nb", "a b", "", "\"; id; \""] {
            var forged = required
            forged[5] = word
            #expect(Requirement.parse(forged) == nil, "\(word)")
        }
        #expect(Requirement.parse(Array(required.dropLast())) == nil)
        let optional = try #require(try validates("{}", ["logrotate/a": ""]).first)
        #expect(OptionalCheck.command(optional) == ["logrotate", "--debug", "/etc/logrotate.d/a"])
        for forged in [["./evil", "x"] + optional.dropFirst(2), ["/bin/sh", "evil"] + optional.dropFirst(2)] {
            #expect(OptionalCheck.command(forged) == forged)
        }
    }
}
