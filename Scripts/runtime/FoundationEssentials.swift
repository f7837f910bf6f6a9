// What swift-argument-parser takes from Foundation, for CPUs for which there is a standard library but no Foundation of this compiler's version.
// There is no JSON: `--experimental-dump-help` prints nothing.

public protocol LocalizedError: Error {
    var errorDescription: String? { get }
}

extension LocalizedError {
    public var errorDescription: String? { nil }
}

public struct Data {}

public final class JSONEncoder {
    public struct OutputFormatting: OptionSet, Sendable {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let prettyPrinted = OutputFormatting(rawValue: 1)
        public static let sortedKeys = OutputFormatting(rawValue: 2)
    }

    struct Unsupported: Error {}

    public var outputFormatting: OutputFormatting = []
    public init() {}
    public func encode(_ value: some Encodable) throws -> Data { throw Unsupported() }
}

extension String {
    public enum Encoding: Sendable { case utf8 }
    public init?(data: Data, encoding: Encoding) { nil }
}
