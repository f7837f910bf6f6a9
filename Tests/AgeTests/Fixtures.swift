import Foundation
import Testing

@testable import Age
@testable import Sealing

/// A directory that is removed with its owner.
final class Scratch {
    let path: String

    init() throws {
        path = "/dev/shm/deptool-age-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult func write(_ bytes: some Collection<UInt8>, to name: String) throws -> String {
        try Data(bytes).write(to: URL(filePath: file(name)))
        chmod(file(name), 0o600)
        return file(name)
    }

    func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: file(name)))) }

    /// A key of ssh-keygen's, and its path.
    func key(_ name: String, _ options: [String] = ["-t", "ed25519"], passphrase: String = "") throws -> String {
        _ = try run(["ssh-keygen", "-q", "-N", passphrase, "-C", name, "-f", file(name)] + options)
        return file(name)
    }
}

struct Failed: Error, CustomStringConvertible {
    var description: String
}

/// The output of a program. Its input comes from a file, so that it cannot wait for us.
func run(_ command: [String], input: String? = nil) throws -> [UInt8] {
    let process = Process(), output = Pipe(), errors = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.standardInput = try input.map { try FileHandle(forReadingFrom: URL(filePath: $0)) } ?? FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let bytes = Array(output.fileHandleForReading.readDataToEndOfFile())
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failed(description: "\(command): \(text)") }
    return bytes
}

func bytes(_ secret: borrowing SecretBytes) -> [UInt8] { secret.withBytes { Array($0) } }
func secret(_ bytes: [UInt8]) -> SecretBytes { SecretBytes(copying: bytes[...]) }

func identity(_ file: [UInt8]) throws(KeyFileError) -> AgeIdentity { try AgeIdentity(file: secret(file), Libcrypto.self) }

/// The content of a sealed file, or why it does not open.
func opened(_ file: [UInt8], _ identity: borrowing AgeIdentity) -> Result<[UInt8], AgeError> {
    do throws(AgeError) {
        return .success(bytes(try SealedFile(file).open(with: identity, Libcrypto.self)))
    } catch {
        return .failure(error)
    }
}

func seal(_ content: [UInt8], for recipients: [AgeRecipient], others: [SealedStanza] = []) -> [UInt8] {
    SealedFile.seal(secret(content), Libcrypto.self) { key in
        var stanzas = others
        for recipient in recipients { if let stanza = recipient.seal(key, Libcrypto.self) { stanzas.append(stanza) } }
        return stanzas
    }
}

extension AgeIdentity {
    /// The recipient of this key.
    var recipient: AgeRecipient { sshKey.isEmpty ? .age(point) : .ssh(key: sshKey, point: point) }
}

func identity(_ number: UInt8) -> AgeIdentity {
    AgeIdentity(scalar: secret([UInt8](repeating: number, count: 32)), Libcrypto.self)
}
