import Model
import SSH

/// Gives a host that has no ed25519 host key a key of its own, with which it opens secrets.
package struct Enrollment: Sendable {
    /// An ed25519 key without a passphrase, as ssh-keygen(1) writes the two files.
    package struct KeyPair: Sendable {
        let privateKey: Secret
        let publicKey: String

        package init(privateKey: Secret, publicKey: String) { (self.privateKey, self.publicKey) = (privateKey, publicKey) }
    }

    package enum Outcome: Sendable {
        /// The host opens secrets with this key now, or did so before.
        case identity(PublicKey)
        /// The host needs no other key than its SSH key.
        case hasHostKey
        /// The last output of the host instead. Unchecked.
        case failed(String)
    }

    private let task: HostTask
    /// Makes a key for a host that cannot make one.
    private let generate: @Sendable () -> KeyPair?

    package init(_ host: Hostname, access: Access, generate: @escaping @Sendable () -> KeyPair?) throws(SSHError) {
        task = try HostTask([host], access: access)
        self.generate = generate
    }

    package func run() async throws(HostError) -> Outcome {
        let results = await task.onEach { host, access, interrupt in
            Result { () throws(HostError) in try enroll(host, access, interrupt) }
        }
        guard let result = results.first else { throw .ssh(.interrupted) }
        return try result.get()
    }

    private func enroll(_ host: Hostname, _ access: Access, _ interrupt: Interrupt) throws(HostError) -> Outcome {
        var hasAnswered = false
        let result = try access.run(asRoot: Self.script, on: host, interrupt) { (printed, stream) throws(HostError) in
            guard !hasAnswered, Self.value(of: Self.need, in: printed) != nil else { return }
            hasAnswered = true
            // Without a key, the script ends: there is nothing more to read.
            guard let pair = generate() else { return try overSSH(stream.closeWrite(deadline: .after(Conversation.timeout))) }
            try overSSH(stream.write(pair.privateKey, deadline: .after(Conversation.timeout)))
            try overSSH(stream.write(Array("\n\(pair.publicKey)\n".utf8), deadline: .after(Conversation.timeout)))
        }
        if Self.value(of: Self.hostKey, in: result.printed) != nil { return .hasHostKey }
        guard let line = Self.value(of: Self.key, in: result.printed), let key = PublicKey(line: line), key.type == "ssh-ed25519" else {
            if case .sudo = result.failure { throw result.failure }
            let said = String(decoding: result.errors.isEmpty ? result.printed : result.errors, as: UTF8.self)
            return .failed(said.split(whereSeparator: \.isNewline).last.map(String.init) ?? "")
        }
        return .identity(key)
    }

    /// The text after the prefix in the line that begins with it, if the line is complete.
    private static func value(of prefix: String, in printed: [UInt8]) -> ArraySlice<UInt8>? {
        printed.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast().first { $0.starts(with: prefix.utf8) }?
            .dropFirst(prefix.utf8.count)
    }

    private static let need = "DEPTOOL-NEED-KEY", key = "DEPTOOL-KEY ", hostKey = "DEPTOOL-HOST-KEY"

    /// One rename puts both halves in place, so that they belong together even if two operators enroll the host at once. Without
    /// ssh-keygen(1), the private half arrives in lines that end with an empty one, and then the public half. Obeys the rules of
    /// ``Bootstrap``.
    private static var script: String {
        let directory = Layout.identityDirectory.text, draft = "\(directory).new.$$"
        return [
            // Ends the login's own output with a line break.
            #"r() { k=$(cat \#(Layout.identity.text).pub) && echo && echo "\#(key)$k"; exit; }"#,
            // The agent follows no symlink there.
            #"[ -L \#(Layout.identity.text) ] && echo "\#(Layout.identity.text) is a symlink" >&2 && exit 1"#,
            "[ -e \(Layout.identity.text) ] && r",
            "[ -L \(Layout.hostKey.text) ] || { [ -e \(Layout.hostKey.text) ] && echo && echo \(hostKey) && exit; }",
            "umask 077",
            #"t=\#(draft); trap "rm -rf $t" EXIT; trap "rm -rf $t; exit 1" HUP INT TERM PIPE; mkdir $t || exit"#,
            // It may be there and refuse, such as on a host with FIPS.
            #"if command -v ssh-keygen >/dev/null && ssh-keygen -q -t ed25519 -N "" -C deptool -f $t/identity </dev/null >&2"#,
            "then :",
            "else rm -f $t/*; echo; echo \(need)",
            #"while read -r l && [ -n "$l" ]; do echo "$l"; done >$t/identity"#,
            #"read -r l && echo "$l" >$t/identity.pub || exit 1"#,
            "fi",
            // Somebody else may have been faster.
            "sync; mv -T $t \(directory) || [ -e \(Layout.identity.text) ] && r",
        ].joined(separator: "; ")
    }
}
