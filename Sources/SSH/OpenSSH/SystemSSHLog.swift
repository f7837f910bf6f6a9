/// The standard error of `ssh`: its debug messages and its complaints, then the host's own output.
///
/// No trust decision depends on it; a host that forges lines only confuses the messages about itself.
struct SystemSSHLog {
    private(set) var hasStarted = false
    private(set) var phase = Phase.connecting
    /// The server's host key.
    private(set) var hostKey: (type: String, fingerprint: String)?
    /// ssh's own messages before the command started, without its debug messages: at most 64 lines.
    private(set) var complaints: [String] = []
    /// Whether the server has sent its version.
    private(set) var hasGreeted = false
    /// The login methods that the server offers.
    private(set) var methods: [String] = []
    private var offered: [Offer] = []
    private var tried: [String] = []
    /// The last line, possibly incomplete.
    private var line: [UInt8] = []
    private var said: [UInt8] = []
    /// Total bytes received after the command started.
    private(set) var count = 0

    private static let maximumStandardError = 64 << 10
    private static let maximumLine = 16 << 10
    private static let debug = Array("debug1: ".utf8)

    mutating func add(_ bytes: [UInt8]) {
        if hasStarted { count += bytes.count }
        // Drop everything beyond the limit.
        guard said.count < Self.maximumStandardError else { return }
        for byte in bytes {
            if line.count < Self.maximumLine || byte == UInt8(ascii: "\n") { line.append(byte) }
            guard byte == UInt8(ascii: "\n") else { continue }
            if hasStarted { keep() } else { read() }
            line = []
        }
    }

    /// The first 64 KiB of the host's output.
    var standardError: [UInt8] {
        let rest = hasStarted && !Self.debug.starts(with: line) ? Self.hostsPart(line) : []
        return said + rest.prefix(Self.maximumStandardError - said.count)
    }

    /// An error of ssh after the command started.
    var lateFailure: SSHError? {
        for line in String(decoding: said, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if line.hasPrefix("exec request failed on channel") || line.contains(" request failed on channel ") {
                return .commandRefused(message: String(line))
            }
            if Self.endings.contains(where: { line.hasPrefix($0) }) { return .connectionLost(.transferring) }
        }
        return nil
    }

    private static let endings = [
        "client_loop: send disconnect", "Timeout, server ", "Connection to ", "Connection closed by ", "Connection reset by ",
        "Read from remote host ", "Disconnected from ", "Received disconnect from ", "mux_client_request_session: ",
        "packet_write_wait: ", "ssh_packet_",
    ]

    private mutating func keep() {
        said += Self.hostsPart(line).prefix(Self.maximumStandardError - said.count)
    }

    /// A line without ssh's additions, which may follow output of the host that does not end in a newline.
    private static func hostsPart(_ line: [UInt8]) -> ArraySlice<UInt8> {
        if statistics.contains(where: line.starts) { return [] }
        return line.firstRange(of: debug).map { line[..<$0.lowerBound] } ?? line[...]
    }

    private static let statistics = [Array("Transferred: sent ".utf8), Array("Bytes per second: sent ".utf8)]

    private mutating func read() {
        var text = String(decoding: line, as: UTF8.self)
        while text.last?.isNewline ?? false { text.removeLast() }
        guard text.hasPrefix("debug1: ") else {
            if text.hasPrefix("Authenticated to ") || text.isEmpty { return }
            if complaints.count < 64 { complaints.append(text) }
            return
        }
        text.removeFirst(8)
        let words = text.split(separator: " ").map(String.init)
        if text.hasPrefix("Sending command: ") || text.hasPrefix("mux_client_request_session: master session id: ") {
            hasStarted = true
        } else if text.hasPrefix("Connection established") {
            phase = .handshake
        } else if text.hasPrefix("Remote protocol version ") {
            hasGreeted = true
        } else if text.hasPrefix("Server host key: ") || text.hasPrefix("Server host certificate: "), words.count >= 5 {
            hostKey = (words[3], words[4].hasSuffix(",") ? String(words[4].dropLast()) : words[4])
        } else if text.hasPrefix("SSH2_MSG_SERVICE_ACCEPT received") || text.hasPrefix("Authentications that can continue: ") {
            phase = .login
            if let list = words.last, words.count == 5 { methods = list.split(separator: ",").map(String.init) }
        } else if text.hasPrefix("Next authentication method: "), let method = words.last, method != "publickey" {
            tried.append(method)
        } else if text.hasPrefix("Offering public key: ") {
            if let offer = Self.offer(String(text.dropFirst("Offering public key: ".count))) { offered.append(offer) }
        } else if text.hasPrefix("kex_exchange_identification: banner line ") {
            complaints.append(words.dropFirst(4).joined(separator: " "))
        }
    }

    /// Parses `NAME TYPE SHA256:… [explicit] [agent]`.
    private static func offer(_ text: String) -> Offer? {
        guard let hash = text.firstRange(of: " SHA256:"), let space = text[..<hash.lowerBound].lastIndex(of: " ") else {
            return nil
        }
        let name = String(text[..<space]), type = String(text[text.index(after: space)..<hash.lowerBound])
        let isAgents = text[hash.upperBound...].split(separator: " ").contains("agent") && !name.hasPrefix("/")
        return Offer(source: isAgents ? .agent(comment: name) : .file(path: name), type: type, outcome: .refused)
    }

    /// Everything that ssh tried to log in with.
    func offers(_ outcomes: [String: Offer.Outcome]) -> [Offer] {
        let signing = complaints.contains { $0.contains("agent refused operation") }
        var offers = offered
        if signing, let last = offers.popLast() {
            offers.append(Offer(source: last.source, type: last.type, outcome: .agentWouldNotSign))
        }
        for (path, outcome) in outcomes.sorted(by: { $0.key < $1.key }) {
            let known = offers.firstIndex { $0.source == .file(path: path) }
            let type = known.map { offers.remove(at: $0).type } ?? ""
            offers.append(Offer(source: .file(path: path), type: type, outcome: outcome))
        }
        var seen: Set<String> = []
        for method in tried where seen.insert(method).inserted {
            offers.append(Offer(source: .method(method), type: "", outcome: .refused))
        }
        return offers
    }
}
