import Foundation
import Model
import Testing
import Wire

extension EndToEnd {
    /// A lying host: each login gets the answer that a test wrote, in place of an agent.
    @Suite final class HostileTests: OneHost {
        override init() throws {
            try super.init()
            // Root's login is for preparing it.
            try host.run("sed -i 's|^|command=\"sh /srv/answer\" |' /home/operator/.ssh/authorized_keys")
            let lab = try String(contentsOfFile: "\(site.lab)/ssh_config", encoding: .utf8)
            try cluster.write(outside: "ssh_config", lab.replacing("User root", with: "User operator"))
            cluster.sshConfiguration = "\(cluster.directory)/ssh_config"
            try cluster.write("web1/app/file", "ours\n")
            try cluster.write("web2/app/file", "the other host's\n")
        }

        /// Lets every command that is asked of the host do this instead.
        private func answer(with script: String) throws {
            try put(Array(script.utf8), "/srv/answer")
        }

        /// Lets the host answer with these bytes, keep its input, and do nothing more.
        private func answer(with bytes: [UInt8], then script: String = "exec cat >/tmp/sent") throws {
            try put(bytes, "/srv/bytes")
            try answer(with: "cat /srv/bytes; \(script)")
        }

        private func put(_ bytes: [UInt8], _ path: String) throws {
            let file = "\(site.directory)/bytes"
            try Data(bytes).write(to: URL(filePath: file))
            try host.copy(file, to: path)
        }

        /// Deploys to the host, which must fail within bounds, and returns the output, which must have no control characters.
        private func deploy(code: Int32 = 1, within limit: Duration = .seconds(60)) throws -> String {
            let deploy = try cluster.start("deploy", "--no-confirm", "--limit", "web1", "--ssh-config", cluster.sshConfiguration)
            let output = try deploy.finish(within: limit)
            #expect(output.code == code, "\(output)")
            #expect(deploy.peakMemory < 400_000, "\(deploy.peakMemory) kB")
            let text = output.text + output.errors
            #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control }, "\(text)")
            #expect(try cluster.references() == "")
            #expect(try outside() == [".deptool", ".gitconfig", ".local", "prod", "ssh_config"])
            return text
        }

        /// The content of the operator's directory.
        private func outside() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: cluster.directory).sorted()
        }

        private func hello(_ hostname: String = "web1", commit: ObjectID? = nil) -> [UInt8] {
            Frame.magic
                + Frame.encode(
                    Reply.hello(Hello(hostname: hostname, machineID: "", hasSystemd: true, commit: commit, recovery: nil)))
        }

        @Test func `noise, escape sequences and endless output in place of an agent are errors`() throws {
            try answer(with: "printf '\\033]0;title\\007\\033[2J\\nDEPTOOL-FAILED \\033[31mmkdir\\n'; printf '\\233\\033[H' >&2")
            #expect(try deploy().contains("cannot install the agent"))
            try answer(with: "yes")
            #expect(try deploy().contains("the agent did not start"))
            try answer(with: "yes >&2 & sleep 1; kill $!; exit 7")
            #expect(try deploy().contains("a command ended with status 7"))
            try answer(with: "tr '\\0' '\\377' </dev/zero")
            #expect(try deploy().contains("the agent did not start"))
            // It asks for the agent, and does not take it.
            try answer(with: "echo DEPTOOL-NEED x86_64; read -r go; echo DEPTOOL-FAILED write; echo 'no room' >&2")
            #expect(try deploy().contains("| no room"))
        }

        @Test func `malformed, oversized and senseless messages are rejected`() throws {
            try answer(with: Frame.magic + [0xff, 0xff, 0xff, 0xff])
            #expect(try deploy().contains("sent an invalid message: something in it is too long"))
            // A length within the limit, and then bytes without end.
            try answer(with: Frame.magic + [3, 0xff, 0xff, 0xff], then: "exec cat /dev/zero")
            #expect(try deploy().contains("sent an invalid message"))
            // The largest list of the smallest things.
            let list: [UInt8] = [13, 0x80, 0x80, 0x40]
            try answer(with: Frame.magic + frame(list + [UInt8](repeating: 0, count: 21 << 20)), then: "true")
            #expect(try deploy().contains("sent a"))
            try answer(with: hello("web1\u{1b}[2J\u{7}"))
            #expect(try deploy().contains("is another host: its name is 'web1^[[2J^G'"))
            try answer(with: hello() + Frame.encode(Reply.locked) + Frame.encode(Reply.finished(.deployed)))
            #expect(try deploy().contains("sent an unexpected message"))
            // Once asked to apply, it may have done so, regardless of its answer.
            let steps = (0..<50).flatMap { _ in Frame.encode(Reply.began(step: 0)) }
            try answer(with: hello() + Frame.encode(Reply.staged(missing: [])) + steps)
            #expect(try deploy(code: 5).contains("web1: sent an unexpected message; unknown whether it was deployed\n"))
            try answer(with: hello() + Frame.encode(Reply.staged(missing: [])) + frame([255]))
            #expect(try deploy(code: 5).contains("a value that this version does not support; unknown whether it was deployed\n"))
            // A number that would be doubled in a message.
            let slow = Problem.unit(try #require(UnitName("a.service")), .tooSlow(state: "x", seconds: 7777), journal: "")
            var bytes = Reply.finished(.rolledBack(AgentError(step: 0, slow))).encoded
            var (written, extreme) = (ByteWriter(), ByteWriter())
            written.signed(7777)
            extreme.signed(.max)
            bytes.replaceSubrange(try #require(bytes.firstRange(of: written.bytes)), with: extreme.bytes)
            try answer(with: hello() + Frame.encode(Reply.staged(missing: [])) + frame(bytes))
            #expect(try deploy(code: 5).contains("an impossible number; unknown whether it was deployed\n"))
            // It has gone before the whole message was sent.
            try answer(with: Array(hello().dropLast(3)), then: "true")
            #expect(try deploy().contains("connection lost"))
        }

        @Test func `a host cannot ask for another host's files`() throws {
            let other = ObjectID.of(.blob, Array("the other host's\n".utf8))
            try answer(with: hello() + Frame.encode(Reply.locked) + Frame.encode(Reply.staged(missing: [other])))
            #expect(try deploy().contains("sent an unexpected message"))
            #expect(try host.attempt("grep -q \"the other host's\" /tmp/sent").code == 1)
            // Nor for its own without end.
            let own = ObjectID.of(.blob, Array("ours\n".utf8))
            let again = (0..<1000).flatMap { _ in Frame.encode(Reply.staged(missing: [own])) }
            try answer(with: hello() + Frame.encode(Reply.locked) + again)
            #expect(try deploy().contains("sent an unexpected message"))
        }

        @Test func `a false record stays out of the store`() throws {
            let blob = ObjectID.of(.blob, Array("evil\n".utf8))
            for (name, kind) in [("../../evil", "100644"), ("x", "120000"), ("evil", "100644")] {
                let app = tree(kind, name, blob), host = tree("40000", "app", app.id), root = tree("40000", "web1", host.id)
                let commit = RecordedObject(
                    kind: .commit,
                    bytes: Array("tree \(root.id.hex)\nauthor \u{1b}[2J <e@x> 1 +0000\ncommitter E <e@x> 1 +0000\n\n\u{1b}]0;x\u{7}\n".utf8)
                )
                var record = Record(
                    commit: commit.id, author: "E\u{1b}[2J", time: 1, objects: [commit, root, host, app], apps: [], links: [], units: [])
                // The requested file then has another content, more of it than announced, or no end.
                let file = Frame.encode(Reply.file(size: 5)) + Frame.encode(Reply.content(Array("EVIL\n".utf8)))
                try answer(with: hello(commit: commit.id) + Frame.encode(Reply.stale(record)) + file)
                #expect(try deploy().contains("its record contradicts itself"))
                record.objects = [commit, root]
                try answer(with: hello(commit: commit.id) + Frame.encode(Reply.stale(record)))
                #expect(try deploy().contains("its record contradicts itself"))
                guard name == "evil" else { continue }
                record.objects = [commit, root, host, app]
                let endless = Frame.encode(Reply.file(size: 1 << 33)) + Frame.encode(Reply.content([UInt8](repeating: 0, count: 1 << 20)))
                try answer(
                    with: hello(commit: commit.id) + Frame.encode(Reply.stale(record)) + endless,
                    then: "for i in $(seq 300); do tail -c \((1 << 20) + 8) /srv/bytes; done")
                #expect(try deploy().contains("se"))
            }
        }

        private func tree(_ mode: String, _ name: String, _ id: ObjectID) -> RecordedObject {
            RecordedObject(kind: .tree, bytes: Array("\(mode) \(name)".utf8) + [0] + id.bytes)
        }

        private func frame(_ message: [UInt8]) -> [UInt8] {
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: message.count >> $0) } + message
        }
    }
}
