import Platform

/// Each opens descriptors, which must be closed when it returns or throws.
let descriptorWays: [(String, @Sendable () throws -> Void)] = [
    ("a value", { try aValue() }), ("a value by way of a function", { try aValueByFunction() }),
    ("several values", { try severalValues() }),
    ("a number that outlives the value", { _ = try aNumber() }),
    ("a value that nothing uses", { _ = try attempt(try FileDescriptor.null()) }),
    ("a variable", { try aVariable() }), ("a variable that changes", { try aChange() }), ("a taken value", { try aTakenValue() }),
    ("a value that others borrow", { try aBorrowedValue() }), ("a consumed value", { try aConsumedValue() }),
    ("a value consumed on one way, kept", { try aConditionalConsumption(0) }),
    ("a value consumed on one way, consumed", { try aConditionalConsumption(1) }),
    ("a value closed by defer", { try aDeferredEnd() }),
    ("an early return, the first", { _ = try anEarlyReturn(0) }), ("an early return, none", { _ = try anEarlyReturn(2) }),
    ("an error after opening", { try anError(1) }), ("no error after opening", { try anError(0) }),
    ("an error that is caught", { anErrorCaught() }), ("try?", { tried() }),
    ("values in a loop", { try aLoop() }), ("a variable set in a loop", { try aLoopWithVariable() }),
    ("an optional value", { try anOptional(1) }), ("an optional that is nil", { try anOptional(0) }),
    ("an optional, taken", { try anOptionalTaken(1) }), ("an optional, not taken", { try anOptionalTaken(0) }),
    ("a pipe", { try aPipe() }), ("a pipe by way of a function", { try aPipeByFunction() }),
    ("a pipe that nothing uses", { _ = try attempt(try Pipe()) }),
    ("a pipe with one end taken", { try aPipeTaken() }),
    ("a pipe with one end taken, by way of a function", { try aPipeTakenByFunction() }),
    ("a pipe with one end closed", { try aPipeClosed() }), ("a pipe with one end replaced", { try aPipeReplaced() }),
    ("a pipe passed on", { try aPipePassed() }), ("a pipe by try?", { aPipeTried() }),
    ("a pipe by try?, with an end taken", { aPipeTriedAndTaken() }),
    ("an optional pipe", { try anOptionalPipe(1) }), ("a pipe, with an error", { try aPipeWithError(1) }),
    ("a pipe, without an error", { try aPipeWithError(0) }), ("pipes in a loop", { try pipesInALoop() }),
    ("sockets", { try sockets() }), ("sockets with one end taken", { try socketsTaken() }),
    ("sockets with both ends taken", { try socketsTakenBoth() }), ("sockets returned by a closure", { try socketsByClosure() }),
    ("a struct of structs", { try aStructOfStructs() }), ("a struct of structs, with an end taken", { try aStructOfStructsTaken() }),
    ("a struct of structs, with a change", { try aStructOfStructsChanged() }),
    ("an enum, empty", { try anEnum(0) }), ("an enum, a value", { try anEnum(1) }), ("an enum, a pipe", { try anEnum(2) }),
    ("a consumed enum, a value", { try anEnumConsumed(1) }), ("a consumed enum, a pipe", { try anEnumConsumed(2) }),
    ("a closure", { try aClosure() }), ("a closure that changes it", { try aClosureThatChanges() }),
    ("a closure with a pipe", { try aClosureWithPipe() }),
    ("a closure that escapes", { try anEscapingClosure() }),
    ("an object that takes ends", { try anObject(0) }), ("an object that takes ends, with an error", { try anObject(1) }),
    ("an object whose end is taken", { try anObjectTaken() }), ("an owner", { try anOwner(0) }),
    ("an owner, with an error", { try anOwner(1) }),
    ("an array of objects", { try anArray() }),
    ("the descriptors of a program", { try aProgram() }), ("the descriptors of a program that is missing", { try aMissingProgram() }),
]

// MARK: One

@inline(never) func aValue() throws {
    let file = try FileDescriptor.null()
    use(file.number)
}

@inline(never) func aValueByFunction() throws {
    let file = try attempt(try FileDescriptor(reading: "/dev/null"))
    use(file.number)
}

@inline(never) func severalValues() throws {
    func copy(_ number: Int32?) throws(Errno) -> FileDescriptor {
        guard let number else { return try .null() }
        return try FileDescriptor(duplicating: number)
    }
    let one = try copy(nil), two = try copy(0), three = try copy(one.number)
    let (first, second, third) = (one.number, two.number, three.number)
    for number in [first, second, third] { use(number) }
}

@inline(never) func aNumber() throws -> Int32 {
    let file = try attempt(try FileDescriptor.null())
    return file.number
}

@inline(never) func aVariable() throws {
    var file = try attempt(try FileDescriptor.null())
    use(file.number)
    change(&file)
}

@inline(never) func aChange() throws {
    var file = try FileDescriptor.null()
    use(file.number)
    file = try attempt(try .null())
    use(file.number)
}

@inline(never) func aTakenValue() throws {
    var file = try attempt(try FileDescriptor.null())
    let taken = file.take()
    use(taken.number)
    if file.number != -1 { complain("a taken value has a number") }
}

@inline(never) func aBorrowedValue() throws {
    let file = try FileDescriptor.null()
    borrow(file)
    use(file.number)
}

@inline(never) func aConsumedValue() throws {
    consume(try .null())
    let file = try attempt(try FileDescriptor.null())
    let passed = pass(file)
    consume(passed)
}

@inline(never) func aConditionalConsumption(_ way: Int) throws {
    let file = try attempt(try FileDescriptor.null())
    if unknown(way) == 1 { consume(file) } else { use(file.number) }
}

@inline(never) func aDeferredEnd() throws {
    var file = try FileDescriptor.null()
    defer { file.close() }
    use(file.number)
}

@inline(never) func anEarlyReturn(_ way: Int) throws -> Int {
    let file = try attempt(try FileDescriptor.null())
    if unknown(way) == 0 { return 0 }
    let pipe = try attempt(try Pipe())
    if unknown(way) == 1 { return 1 }
    use(file.number)
    use(pipe.writing.number)
    return 2
}

@inline(never) func anError(_ way: Int) throws {
    let file = try attempt(try FileDescriptor.null())
    try use(file.number, then: way)
    use(file.number)
}

@inline(never) func anErrorCaught() {
    do throws(Failure) {
        let sockets = try attempt(try SocketPair())
        try use(sockets.ours.number, then: 1)
    } catch {
        if let file = try? FileDescriptor.null() { use(file.number) }
    }
}

@inline(never) func tried() {
    if let file = try? FileDescriptor.null() { use(file.number) }
    guard let file = try? attempt(try FileDescriptor.null()) else { return }
    _ = try? file.setNonblocking()
    _ = try? FileDescriptor(reading: "/none")
}

@inline(never) func aLoop() throws {
    for turn in 0..<4 {
        let file = try attempt(try FileDescriptor.null())
        if unknown(turn) == 1 { continue }
        use(file.number)
        if unknown(turn) == 2 { break }
    }
}

@inline(never) func aLoopWithVariable() throws {
    var file = try FileDescriptor.null()
    for _ in 0..<4 {
        use(file.number)
        file = try attempt(try .null())
    }
}

@inline(never) func anOptional(_ way: Int) throws {
    var file: FileDescriptor?
    if unknown(way) == 1 { file = try attempt(try .null()) }
    if let number = file?.number { use(number) }
}

@inline(never) func anOptionalTaken(_ way: Int) throws {
    var file: FileDescriptor? = try attempt(try .null())
    if unknown(way) == 1, let taken = file.take() { use(taken.number) }
    if let number = file?.number { use(number) }
}

// MARK: Two

@inline(never) func aPipe() throws {
    let pipe = try Pipe()
    use(pipe.reading.number)
    use(pipe.writing.number)
}

@inline(never) func aPipeByFunction() throws {
    let pipe = try attempt(try Pipe())
    use(pipe.reading.number)
    use(pipe.writing.number)
}

@inline(never) func aPipeTaken() throws {
    var pipe = try Pipe()
    use(pipe.writing.number)
    let reading = pipe.reading.take()
    use(reading.number)
}

@inline(never) func aPipeTakenByFunction() throws {
    var pipe = try attempt(try Pipe())
    use(pipe.writing.number)
    let reading = pipe.reading.take()
    use(reading.number)
}

@inline(never) func aPipeClosed() throws {
    var pipe = try attempt(try Pipe())
    use(pipe.writing.number)
    pipe.writing.close()
    use(pipe.reading.number)
}

@inline(never) func aPipeReplaced() throws {
    var pipe = try attempt(try Pipe())
    use(pipe.writing.number)
    pipe.reading = try .null()
    use(pipe.reading.number)
    use(pipe.writing.number)
}

@inline(never) func aPipePassed() throws {
    let pipe = pass(try attempt(try Pipe()))
    use(pipe.reading.number)
    let again = pass(pipe)
    use(again.writing.number)
}

@inline(never) func aPipeTried() {
    guard let pipe = try? attempt(try Pipe()) else { return }
    use(pipe.reading.number)
}

@inline(never) func aPipeTriedAndTaken() {
    guard var pipe = try? Pipe() else { return }
    use(pipe.reading.number)
    let writing = pipe.writing.take()
    use(writing.number)
}

@inline(never) func anOptionalPipe(_ way: Int) throws {
    var pipe: Pipe?
    if unknown(way) == 1 { pipe = try attempt(try Pipe()) }
    if let number = pipe?.reading.number { use(number) }
}

@inline(never) func aPipeWithError(_ way: Int) throws {
    let outputs = try attempt(try Pipe()), errors = try attempt(try Pipe())
    try use(outputs.reading.number, then: way)
    use(errors.reading.number)
}

@inline(never) func pipesInALoop() throws {
    for turn in 0..<4 {
        var pipe = try attempt(try Pipe())
        if unknown(turn) == 1 { continue }
        use(pipe.reading.number)
        if unknown(turn) == 2 { pipe.writing.close() }
    }
}

@inline(never) func sockets() throws {
    let sockets = try attempt(try SocketPair())
    use(sockets.ours.number)
    use(sockets.theirs.number)
}

@inline(never) func socketsTaken() throws {
    var sockets = try attempt(try SocketPair())
    use(sockets.theirs.number)
    let ours = sockets.ours.take()
    use(ours.number)
}

@inline(never) func socketsTakenBoth() throws {
    var sockets = try attempt(try SocketPair())
    let ours = sockets.ours.take(), theirs = sockets.theirs.take()
    use(ours.number)
    use(theirs.number)
}

@inline(never) func socketsByClosure() throws {
    let sockets = called { try? SocketPair() }
    if let sockets {
        use(sockets.ours.number)
        use(sockets.theirs.number)
    }
}

// MARK: In other values

@inline(never) func aStructOfStructs() throws {
    let streams = try attempt(try Streams())
    use(streams.pipe.reading.number)
    use(streams.sockets.theirs.number)
    use(streams.other.number)
}

@inline(never) func aStructOfStructsTaken() throws {
    var streams = try attempt(try Streams())
    use(streams.pipe.reading.number)
    let writing = streams.pipe.writing.take()
    use(writing.number)
}

@inline(never) func aStructOfStructsChanged() throws {
    var streams = try attempt(try Streams())
    streams.count += unknown(1)
    streams.pipe = try attempt(try Pipe())
    use(streams.pipe.writing.number)
    use(streams.other.number)
}

@inline(never) func anEnum(_ way: Int) throws {
    let choice = try attempt(try Choice(unknown(way)))
    switch choice {
    case .none: break
    case .file(let file): use(file.number)
    case .pipe(let pipe): use(pipe.writing.number)
    }
}

@inline(never) func anEnumConsumed(_ way: Int) throws {
    let choice = try attempt(try Choice(unknown(way)))
    switch consume choice {
    case .none: break
    case .file(let file): consume(file)
    case .pipe(var pipe): consume(pipe.reading.take())
    }
}

@inline(never) func aClosure() throws {
    let file = try attempt(try FileDescriptor.null())
    called { use(file.number) }
}

@inline(never) func aClosureThatChanges() throws {
    var file = try attempt(try FileDescriptor.null())
    called { change(&file) }
}

@inline(never) func aClosureWithPipe() throws {
    let pipe = try attempt(try Pipe())
    called { use(pipe.reading.number) }
    use(pipe.writing.number)
}

@inline(never) func anEscapingClosure() throws {
    let pipe = try attempt(try Pipe())
    var later: [() -> Void] = []
    later.append { use(pipe.reading.number) }
    for body in later { body() }
}

// MARK: In objects

@inline(never) func anObject(_ way: Int) throws { try Taker(unknown(way)).useAll() }

@inline(never) func anObjectTaken() throws {
    let object = try Taker(unknown(0))
    let ours = object.takeOurs()
    use(ours.number)
}

@inline(never) func anOwner(_ way: Int) throws {
    let owner = try Owner(unknown(way))
    use(owner.pipe.writing.number)
    owner.file = try attempt(try .null())
}

@inline(never) func anArray() throws {
    var objects: [Taker] = []
    for _ in 0..<3 { objects.append(try Taker(unknown(0))) }
    for object in objects { object.useAll() }
}

@inline(never) func aProgram() throws {
    var pipe = try attempt(try Pipe())
    let process = try ChildProcess(["true"], in: .own, input: nil, output: pipe.writing.number, error: nil)
    pipe.writing.close()
    _ = process.wait()
}

@inline(never) func aMissingProgram() throws {
    let process = try ChildProcess(["no-such-program-anywhere"], in: .own, input: 0, output: 1, error: nil)
    _ = process.wait()
}
