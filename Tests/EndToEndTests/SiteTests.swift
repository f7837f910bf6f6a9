import Foundation
import Testing

extension EndToEnd {
    /// The tests leave nothing behind, however they end.
    @Suite struct SiteTests {
        /// In a process of its own: boots a host, starts a program, prints the place and the program, and ends by a signal.
        private static func bootAndDie(of signal: Int32) throws {
            let site = try Site()
            _ = try site.boot()
            let program = try Cluster(site).start("ping", "web1")
            let sleeper = try Program(["sleep", "1d"], environment: [Tools.mark: site.directory])
            print("DIRECTORY=\(site.directory)=\(sleeper.pid)=")
            fflush(nil)
            // Another thread takes it: this one may have it blocked.
            kill(getpid(), signal)
            sleep(30)
            withExtendedLifetime((site, program, sleeper)) {}
        }

        private func expectNothingLeft(_ output: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws {
            let text = String(decoding: output, as: UTF8.self)
            let words = text.split(separator: "=")
            try #require(words.count >= 3, "\(text)", sourceLocation: sourceLocation)
            let (directory, sleeper) = (String(words[1]), String(words[2]))
            #expect(directory.hasPrefix("\(Site.temporary)/deptool-test."))
            let script = """
                while [ -e "$0" ] || [ -e "/proc/$1/exe" ] || grep -q " $0/" /proc/self/mounts; do sleep 0.1; done
                ! pgrep -f -- "^[^ ]*(nspawn|sleep|deptool).*$0"
                """
            let wait = try Program(
                ["timeout", "300", "sh", "-c", script, directory, sleeper],
                environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
            ).finish()
            #expect(wait.code == 0, "\(directory): \(wait)", sourceLocation: sourceLocation)
        }

        @Test func `a killed test process leaves no host behind`() async throws {
            let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
                try EndToEnd.SiteTests.bootAndDie(of: SIGKILL)
            }
            try expectNothingLeft(result?.standardOutputContent ?? [])
        }

        @Test func `an interrupted test process leaves no host behind`() async throws {
            let result = await #expect(processExitsWith: .signal(SIGINT), observing: [\.standardOutputContent]) {
                try EndToEnd.SiteTests.bootAndDie(of: SIGINT)
            }
            try expectNothingLeft(result?.standardOutputContent ?? [])
        }

        @Test func `a terminated test process leaves no host behind`() async throws {
            let result = await #expect(processExitsWith: .signal(SIGTERM), observing: [\.standardOutputContent]) {
                try EndToEnd.SiteTests.bootAndDie(of: SIGTERM)
            }
            try expectNothingLeft(result?.standardOutputContent ?? [])
        }

        @Test func `a test that fails with an error leaves no host behind`() throws {
            var directory = ""
            func fail() throws {
                let site = try Site()
                directory = site.directory
                _ = try site.boot()
                throw POSIXError(.EIO)
            }
            #expect(throws: POSIXError.self) { try fail() }
            #expect(!FileManager.default.fileExists(atPath: directory))
        }
    }
}
