import Foundation
import Testing

/// Stores that came from somebody else.
@Suite(.enabled(if: Tools.hasDeptool, Tools.whyNoDeptool)) final class OwnershipTests {
    private let site: Site
    private let cluster: Cluster
    private let isRoot = geteuid() == 0

    init() throws {
        site = try Site()
        cluster = try Cluster(site)
        try cluster.write("web1/app/file", "")
        // Others get here, but write nowhere.
        try cluster.run("chmod 755 .. . prod && chmod -R go-w ../Ann")
    }

    private var sprung: Bool { FileManager.default.fileExists(atPath: "\(site.directory)/trap/sprung") }

    /// Puts a store with a render hook for `prod` where another user's checkout would bring it to.
    private func plant(at path: String, owner: Int = 0) throws {
        try cluster.run(
            """
            mkdir -p -m 1777 ../trap
            git init -q --bare \(path)
            git -C \(path) config deptool.prod.render 'id -u >>\(site.directory)/trap/sprung'
            git -C \(path) config deptool.cluster prod
            chown -R \(owner) \(path)
            """)
    }

    /// Runs deptool as the user with this number, who has a home.
    private func deptool(as user: Int, in directory: String, _ arguments: String..., home: String? = nil) throws -> Output {
        var environment = cluster.environment
        environment["HOME"] = home ?? "\(site.directory)/home-\(user)"
        try cluster.run("mkdir -p -m 700 ../home-\(user) && chown \(user) ../home-\(user)")
        return try Program(
            ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", Tools.deptool] + arguments, in: directory,
            environment: environment
        ).finish()
    }

    @Test func `another user's store above the working directory runs nothing`() throws {
        guard isRoot else { return }
        // Where everybody may write, with the sticky bit and without.
        for mode in ["1777", "777"] {
            try cluster.run(
                "rm -rf ../open && mkdir -m \(mode) ../open && mkdir -m 755 ../open/work && mkdir -p ../open/work/prod/web1/app")
            try plant(at: "../open/.deptool", owner: 4711)
            for user in [0, 4712] {
                try cluster.run("chown -R \(user) ../open/work")
                for command in ["plan", "deploy", "diff", "status", "init"] {
                    let place = command == "init" ? "\(site.directory)/open" : "\(site.directory)/open/work"
                    let output = try deptool(as: user, in: place, command)
                    #expect(output.code == 1)
                    #expect(output.errors.hasPrefix("Error: \(site.directory)/open"), "\(output)")
                    #expect(!sprung)
                }
            }
        }
    }

    @Test func `root does not use the store of the user whose directory it is`() throws {
        guard isRoot else { return }
        try cluster.run("mkdir -p ../home-4711/work/prod && chown -R 4711 ../home-4711")
        try deptool(as: 4711, in: "\(site.directory)/home-4711/work", "init", "prod").require(0)
        try deptool(as: 4711, in: "\(site.directory)/home-4711/work", "init", "--render", "true").require(0)
        let output = try deptool(as: 0, in: "\(site.directory)/home-4711/work", "plan").require(1)
        expect(
            output.errors,
            is: """
                Error: \(site.directory)/home-4711/work belongs to user with the number 4711, so Deptool does not look for a store there
                Run deptool in a directory of yours, or name a store of yours with DEPTOOL_STORE.

                """)
        cluster.environment["DEPTOOL_STORE"] = "\(site.directory)/home-4711/work/.deptool"
        let named = try deptool(as: 0, in: "/", "plan").require(1)
        #expect(named.errors.hasPrefix("Error: \(site.directory)/home-4711 belongs to user with the number 4711\n"), "\(named)")
    }

    @Test func `a store from a checkout is neither used nor adopted without consent`() throws {
        let checkout = "\(cluster.directory)/checkout"
        try plant(at: "checkout/.deptool")
        try cluster.run("mkdir -p checkout/prod/web1/app && touch checkout/prod/web1/app/file")
        func deptool(_ arguments: String...) throws -> Output {
            try Program([Tools.deptool] + arguments, in: checkout, environment: cluster.environment).finish()
        }
        for arguments in [
            ["plan"], ["plan", "prod"], ["deploy", "--no-confirm"], ["status"], ["log"], ["forget", "web1"], ["init"], ["init", "prod"],
        ] {
            let output = try Program([Tools.deptool] + arguments, in: checkout, environment: cluster.environment).finish()
            expect(
                output.errors,
                is: """
                    Error: the store \(checkout)/.deptool is neither made nor adopted by you
                    It may have come with somebody else's files. If you trust it, run `deptool init --adopt` in \(checkout).

                    """)
            #expect(output.code == 1 && !sprung)
        }
        #expect(try deptool("init", "--adopt").require(0).text == "You have adopted the store \(checkout)/.deptool.\n")
        // Its hook is another matter.
        let hook = "id -u >>\(site.directory)/trap/sprung"
        let refused = try deptool("plan").require(1)
        expect(
            refused.errors,
            is: """
                Error: you did not allow the render hook `\(hook)` for \(checkout)/prod
                The store's configuration has it. To run it before each plan, allow it with `deptool init \(checkout)/prod --render '\(hook)'`; `--no-render` takes the config tree as it is.

                """)
        #expect(!sprung)
        try deptool("plan", "--no-render").require(0)
        // The command that it names does it.
        try cluster.run(
            "PATH=\"\(URL(filePath: Tools.deptool).deletingLastPathComponent().path):$PATH\"; cd checkout && deptool init \(checkout)/prod --render '\(hook)'"
        )
        try deptool("plan").require(0)
        #expect(sprung)
    }

    @Test func `a changed or moved hook must be allowed again`() throws {
        try cluster.deptool("init", "prod", "--render", "true").require(0)
        try cluster.deptool("plan").require(0)
        // A checkout can overwrite what Git ignores.
        try cluster.run("mkdir -p -m 1777 ../trap && git -C .deptool config deptool.prod.render 'touch \(site.directory)/trap/sprung'")
        #expect(try cluster.deptool("plan").require(1).errors.hasPrefix("Error: you did not allow the render hook `touch "))
        #expect(!sprung)
        try cluster.deptool("init", "prod", "--render", "").require(0)
        try cluster.deptool("plan").require(0)
        // Another directory of that name has other files for the same command.
        try cluster.deptool("init", "prod", "--render", "./make").require(0)
        try cluster.write(outside: "clone/make", "#!/bin/sh\ntouch \(site.directory)/trap/sprung\n")
        try cluster.run("chmod +x clone/make && mkdir -p clone/prod/web2/app && touch clone/prod/web2/app/file && rm -r prod")
        #expect(
            try cluster.deptool("plan", "clone/prod").require(1).errors.hasPrefix("Error: you did not allow the render hook `./make` for "))
        #expect(!sprung)
    }

    @Test func `a store that moves stays in use`() throws {
        try cluster.run("mkdir new && mv prod .deptool new")
        try Program([Tools.deptool, "plan", "prod"], in: "\(cluster.directory)/new", environment: cluster.environment).finish().require(0)
    }

    @Test func `XDG_STATE_HOME replaces a missing or foreign home directory`() throws {
        guard isRoot else { return }
        try cluster.run(
            "mkdir -m 755 ../work && mkdir ../work/prod && chown -R 4711 ../work && mkdir -m 700 ../closed && touch ../closed/.gitconfig")
        let work = "\(site.directory)/work"
        // Root's, closed to others.
        for home in ["\(site.directory)/closed", "/nonexistent"] {
            let output = try deptool(as: 4711, in: work, "init", "prod", home: home).require(1)
            expect(
                output.errors,
                is: """
                    Error: you have no home directory
                    Neither HOME nor the home of your account is a directory of yours. Name one with XDG_STATE_HOME: Deptool keeps the list of your stores there.

                    """)
            #expect(!FileManager.default.fileExists(atPath: "\(work)/.deptool"))
        }
        cluster.environment["XDG_STATE_HOME"] = "\(work)/state"
        for home in ["\(site.directory)/closed", "/nonexistent"] {
            try deptool(as: 4711, in: work, "init", "prod", home: home).require(0)
            try cluster.run("mkdir -p ../work/prod/web1/app && touch ../work/prod/web1/app/file")
            try deptool(as: 4711, in: work, "plan", home: home).require(0)
        }
    }

    @Test func `a broken configuration of Git loses only the author's name`() throws {
        try cluster.write(outside: ".gitconfig", "[user\nname = x\n")
        try cluster.deptool("plan").require(0)
        try cluster.deptool("init", "prod").require(0)
        let doctor = try cluster.deptool("doctor")
        #expect(doctor.text.contains("git author") && doctor.text.contains("\(cluster.directory)/.gitconfig"), "\(doctor)")
    }

    @Test func `a repository with SHA-256 ids is not touched`() throws {
        try cluster.run("rm -rf .deptool && git init -q --bare --object-format=sha256 .deptool && find .deptool | sort >before")
        for arguments in [["plan"], ["init", "--adopt"], ["init", "prod"]] {
            #expect(try Program([Tools.deptool] + arguments, in: cluster.directory, environment: cluster.environment).finish().code == 1)
        }
        #expect(
            try cluster.deptool("init", "--adopt").errors.hasPrefix(
                "Error: the repository \(cluster.directory)/.deptool cannot be a store: extensions.objectformat = sha256\n"))
        try cluster.run("find .deptool | sort | diff before -")
    }
}
