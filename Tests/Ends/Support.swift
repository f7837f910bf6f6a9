import Age
import Platform

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

nonisolated(unsafe) var complaints = 0

func complain(_ text: String) {
    complaints += 1
    print(text)
}

struct Failure: Error {}

/// As in the modules of the tool: generic, so that an optimized build specializes and inlines it.
func attempt<Result: ~Copyable>(_ body: @autoclosure () throws(Errno) -> Result) throws(Failure) -> Result {
    do throws(Errno) { return try body() } catch { throw Failure() }
}

func called<Result: ~Copyable>(_ body: () -> Result) -> Result { body() }

/// No optimizer knows it.
@inline(never) func unknown(_ number: Int) -> Int { getpid() > 0 ? number : 0 }

// MARK: Descriptors

func openDescriptors() -> Set<Int32> { Set((0..<256).filter { fcntl($0, F_GETFD) >= 0 }) }

/// A descriptor that must be open here.
@inline(never) func use(_ number: Int32) { if fcntl(number, F_GETFD) < 0 { complain("\(number) was closed too early") } }

@inline(never) func use(_ number: Int32, then way: Int) throws(Failure) {
    use(number)
    if way == 1 { throw Failure() }
}

@inline(never) func borrow(_ file: borrowing FileDescriptor) { use(file.number) }
@inline(never) func change(_ file: inout FileDescriptor) { use(file.number) }
@inline(never) func consume(_ file: consuming FileDescriptor) { use(file.number) }
@inline(never) func pass(_ file: consuming FileDescriptor) -> FileDescriptor { file }
@inline(never) func pass(_ pipe: consuming Pipe) -> Pipe { pipe }

/// A struct of such structs.
struct Streams: ~Copyable {
    var pipe: Pipe
    var sockets: SocketPair
    var other: FileDescriptor
    var count = 0

    init() throws(Errno) {
        let pipe = try Pipe(), sockets = try SocketPair(), other = try FileDescriptor.null()
        self.pipe = pipe
        self.sockets = sockets
        self.other = other
    }

    deinit {}
}

enum Choice: ~Copyable {
    case none
    case file(FileDescriptor)
    case pipe(Pipe)

    init(_ way: Int) throws(Errno) {
        switch way {
        case 0: self = .none
        case 1: self = .file(try .null())
        default: self = .pipe(try Pipe())
        }
    }
}

/// As a connection to a program: it takes one end of each.
final class Taker {
    private var ours: FileDescriptor
    private let reading: FileDescriptor

    init(_ way: Int) throws(Failure) {
        var sockets = try attempt(try SocketPair())
        var errors = try attempt(try Pipe())
        try use(sockets.theirs.number, then: way)
        use(errors.writing.number)
        ours = sockets.ours.take()
        reading = errors.reading.take()
    }

    func useAll() {
        use(ours.number)
        use(reading.number)
    }

    func takeOurs() -> FileDescriptor { ours.take() }
}

final class Owner {
    let pipe: Pipe
    var file: FileDescriptor?

    init(_ way: Int) throws(Failure) {
        pipe = try attempt(try Pipe())
        file = try attempt(try .null())
        try use(pipe.reading.number, then: way)
    }
}

// MARK: Secrets

/// The addresses where secrets were.
nonisolated(unsafe) var secrets: [UInt] = []

let secretSize = 256

func note(_ secret: borrowing SecretBytes) { secret.withBytes { secrets.append(UInt(bitPattern: $0.baseAddress)) } }

func makeSecret() -> SecretBytes {
    var secret = SecretBytes(count: secretSize)
    for index in 0..<secretSize { secret[index] = 0xA5 }
    note(secret)
    return secret
}

/// By way of a file, since the compiler may assume that no one reads what is free. The allocator writes only into its beginning.
func hasSecret(_ address: UInt) -> Bool {
    guard let memory = try? FileDescriptor(reading: "/proc/self/mem"), let bytes = try? memory.read(secretSize, at: UInt64(address)) else {
        return false
    }
    return bytes[32...].contains(0xA5)
}

@inline(never) func look(_ secret: borrowing SecretBytes) {
    if secret[secretSize - 1] != 0xA5 { complain("a secret was zeroed too early") }
}

struct Key: ~Copyable {
    let content: SecretBytes
    var other: SecretBytes
    var position = 0

    init() throws(Errno) {
        content = makeSecret()
        other = makeSecret()
    }
}
