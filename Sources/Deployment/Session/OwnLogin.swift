import Model
import Planning
import SSH

/// The operator's login, as the host sees it.
struct OwnLogin: Hashable, Sendable {
    var user: String
    /// The client's address and port, and the server's: the words of `SSH_CONNECTION`.
    var connection: [String]
    var groups: [String]

    private static let mark = "DEPTOOL-LOGIN "

    init(user: String, connection: [String], groups: [String]) {
        self.user = user
        self.connection = connection
        self.groups = groups
    }

    /// Logs in once more to find out; nil if no step of the plan needs it.
    static func ask(_ plan: HostPlan, _ access: Access, _ interrupt: Interrupt) throws(HostError) -> OwnLogin? {
        guard plan.steps.contains(where: { $0.action == .test(.sshd) }) else { return nil }
        var printed: [UInt8] = []
        do throws(SSHError) {
            let command = #"sh -c 'echo; echo "\#(mark)$(id -un),$SSH_CONNECTION,$(id -Gn)"'"#
            let stream = try access.start(command, on: plan.host, .none, interrupt).stream
            while printed.count < 256 << 10 {
                let bytes = try stream.read(max: 64 << 10, deadline: .after(Conversation.timeout))
                if bytes.isEmpty { break }
                printed += bytes
            }
            try? stream.closeWrite(deadline: .after(.seconds(5)))
        } catch {
            throw .ssh(error)
        }
        guard let login = OwnLogin(printed) else { throw .noAgentSpoke(nil, printed: printed) }
        return login
    }

    /// Nil if the output does not contain it.
    init?(_ printed: [UInt8]) {
        // By bytes: in a Swift string, CR LF is one character, so LF does not end the line.
        for bytes in printed.split(separator: 10) where bytes.starts(with: Self.mark.utf8) {
            guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
            let line = String(decoding: bytes, as: UTF8.self)
            let parts = line.dropFirst(Self.mark.count).split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count == 3, !parts[0].isEmpty else { return nil }
            user = String(parts[0])
            (connection, groups) = (parts[1].split(separator: " ").map(String.init), parts[2].split(separator: " ").map(String.init))
            return
        }
        return nil
    }

    var address: String { connection.first ?? "UNKNOWN" }

    /// In the form that sshd(8) takes with `-C`. Unless sshd looks up names (`UseDNS`), the client's address also
    /// serves as its name.
    var specification: String {
        var words = ["user=\(user)", "host=\(address)", "addr=\(address)"]
        if connection.count == 4 { words += ["laddr=\(connection[2])", "lport=\(connection[3])"] }
        return words.joined(separator: ",")
    }
}
