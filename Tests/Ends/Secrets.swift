import Age
import Platform
import Sealing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@inline(never) func open(_ path: String, with key: String) throws {
    let file = try SealedFile(FileDescriptor(reading: path).readAll())
    let value = try KeyRing([key], home: "/none") { _, _ in false }.open(file)
    step("\(value.count) bytes")
}

/// Prints what was done, and waits for a line.
func step(_ done: String) {
    print(done)
    fflush(nil)
    _ = readLine()
}

/// Each makes secrets, which must be zeroed when it returns or throws.
let secretWays: [(String, @Sendable () throws -> Void)] = [
    ("a secret", { try aSecret() }), ("a secret that changes", { try aChangedSecret() }), ("a copy of a part", { try aPart() }),
    ("a consumed secret", { try aConsumedSecret() }), ("an optional secret", { try anOptionalSecret() }),
    ("a key", { try aKey() }), ("a key with one part moved", { try aKeyMoved() }), ("a key with a change", { try aKeyChanged() }),
    ("a key that is lent", { try aLentKey() }), ("the size of a key", { _ = try aSize() }),
    ("an optional key", { try anOptionalKey() }), ("an error with secrets", { try anErrorWithSecrets() }),
]

@inline(never) func aSecret() throws {
    let secret = makeSecret()
    look(secret)
}

@inline(never) func aChangedSecret() throws {
    var secret = makeSecret()
    look(secret)
    secret = makeSecret()
    look(secret)
}

@inline(never) func aPart() throws {
    let secret = makeSecret()
    let part = secret[0..<unknown(secretSize)]
    note(part)
    look(part)
}

@inline(never) func consume(_ secret: consuming SecretBytes) { look(secret) }

@inline(never) func aConsumedSecret() throws { consume(makeSecret()) }

@inline(never) func anOptionalSecret() throws {
    var secret: SecretBytes?
    if unknown(1) == 1 { secret = makeSecret() }
    if let byte = secret?[0], byte != 0xA5 { complain("a secret was zeroed too early") }
}

@inline(never) func aKey() throws {
    let key = try attempt(try Key())
    if key.content[unknown(1)] != key.other[unknown(1)] { complain("a secret was zeroed too early") }
}

@inline(never) func aKeyMoved() throws {
    let key = try attempt(try Key())
    if key.content[unknown(1)] != 0xA5 { complain("a secret was zeroed too early") }
    consume(key.other)
}

@inline(never) func aKeyChanged() throws {
    var key = try attempt(try Key())
    key.position += unknown(1)
    if key.content[key.position] != 0xA5 { complain("a secret was zeroed too early") }
    key.other = makeSecret()
    if key.other[key.position] != 0xA5 { complain("a secret was zeroed too early") }
}

@inline(never) func aLentKey() throws {
    let key = try attempt(try Key())
    let first = key.content.withSpan { $0[unknown(1)] }, last = key.other.withBytes { $0[unknown(1)] }
    if first != 0xA5 || last != 0xA5 { complain("a secret was zeroed too early") }
}

@inline(never) func aSize() throws -> Int {
    let key = try attempt(try Key())
    return key.content.count + key.other.count
}

@inline(never) func anOptionalKey() throws {
    if let key = try? attempt(try Key()) { if key.content[unknown(1)] != 0xA5 { complain("a secret was zeroed too early") } }
}

@inline(never) func anErrorWithSecrets() throws {
    let key = try attempt(try Key())
    if key.content[unknown(1)] == 0xA5 { throw Failure() }
    look(key.other)
}
