import Age
import Foundation
import Sealing
import Testing

/// The SSH key of all test hosts, made for this run, and files sealed for it.
final class HostKey: @unchecked Sendable {
    static let shared = HostKey()

    /// As ssh-keygen writes it.
    let file: String
    private let recipient: AgeRecipient
    private let lock = NSLock()
    private var contents: [[UInt8]: String] = [:]

    private init() {
        let directory = NSTemporaryDirectory() + "deptool-test.\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/ssh-keygen")
        process.arguments = ["-q", "-t", "ed25519", "-N", "", "-f", directory + "/key"]
        try? process.run()
        process.waitUntilExit()
        let bytes = FileManager.default.contents(atPath: directory + "/key") ?? Data()
        file = String(decoding: bytes, as: UTF8.self)
        guard let identity = try? AgeIdentity(file: SecretBytes(copying: Array(bytes)[...]), Libcrypto.self) else {
            preconditionFailure("no key by ssh-keygen")
        }
        recipient = .ssh(key: identity.sshKey, point: identity.point)
    }

    func seal(_ text: String) -> [UInt8] {
        let sealed = SealedFile.seal(SecretBytes(copying: Array(text.utf8)[...]), Libcrypto.self) { key in
            recipient.seal(key, Libcrypto.self).map { [$0] } ?? []
        }
        lock.withLock { contents[sealed] = text }
        return sealed
    }

    /// The sealed content of a file.
    func content(of sealed: [UInt8]) -> String? { lock.withLock { contents[sealed] } }
}
