import Foundation
import Platform
import Testing

struct PlatformTests {
    private func scratch<Result>(_ body: (String) throws -> Result) throws -> Result {
        let directory = try TemporaryDirectory(for: [])
        defer { try? removeTree(directory.path) }
        return try body(directory.path)
    }

    @Test func `a file is written and read back`() throws {
        try scratch { directory in
            let path = directory + "/file", bytes = [UInt8](repeating: 7, count: 100_000) + [8, 9]
            let output = try FileDescriptor(creating: path, mode: 0o640)
            try output.writeAll(bytes.span)
            #expect(try output.status().mode == 0o640)
            #expect(try FileDescriptor(reading: path).readAll() == bytes)
            #expect(try FileDescriptor(reading: path).readAll(limit: bytes.count) == bytes)
            #expect(throws: Errno.fileTooLarge) { try FileDescriptor(reading: path).readAll(limit: bytes.count - 1) }
            #expect(try FileDescriptor(reading: path).read(3, at: 99_999) == [7, 8, 9])
            #expect(throws: Errno.ioError) { try FileDescriptor(reading: path).read(4, at: 99_999) }
            #expect(throws: Errno.fileExists) { try FileDescriptor(creating: path, mode: 0o600).number }
        }
    }

    @Test func `a descriptor is closed once, and no later than its value ends`() throws {
        var number: Int32 = -1
        do {
            let file = try FileDescriptor(directory: "/")
            number = file.number
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        }
        var file = FileDescriptor(number)
        let taken = file.take()
        #expect(file.number == -1)
        #expect(taken.number == number)
        _ = consume taken
        var pipe = try Platform.Pipe()
        pipe.writing.close()
        #expect(pipe.writing.number == -1)
        #expect(try pipe.reading.readByte() == nil)
    }

    @Test func `entries have names and kinds, and missing directories an errno`() throws {
        try scratch { directory in
            try makeDirectory(directory + "/sub", mode: 0o700)
            try FileDescriptor(creating: directory + "/file", mode: 0o600).writeAll([1].span)
            #expect(symlink("nowhere", directory + "/link") == 0)
            let found = try entries(of: directory).sorted { $0.name < $1.name }
            #expect(found.map(\.name) == ["file", "link", "sub"])
            #expect(found.map(\.kind) == [.regular, .symlink, .directory])
            #expect(exists(directory + "/link"))
            #expect(throws: Errno.noSuchFileOrDirectory) { try entries(of: directory + "/none") }
            #expect(throws: Errno.tooManySymbolicLinkLevels) { try FileDescriptor(reading: directory + "/link").number }
        }
    }

    @Test func `nothing is renamed over anything`() throws {
        try scratch { directory in
            for name in ["one", "two"] { try makeDirectory("\(directory)/\(name)", mode: 0o700) }
            #expect(throws: Errno.fileExists) { try renameExclusively(directory + "/one", to: directory + "/two") }
            try renameExclusively(directory + "/one", to: directory + "/three")
            #expect(try entries(of: directory).map(\.name).sorted() == ["three", "two"])
        }
    }

    @Test func `a program gets its arguments and streams, and has a status`() throws {
        var pipe = try Platform.Pipe()
        let process = try ChildProcess(
            ["sh", "-c", #"printf '%s|' "$@"; cat; exit 3"#, "sh", "a b", "", "ü"], in: .own, input: nil, output: pipe.writing.number,
            error: nil)
        pipe.writing.close()
        #expect(try String(decoding: pipe.reading.readAll(), as: UTF8.self) == "a b||ü|")
        #expect(process.wait() == 3)
        let sleeper = try ChildProcess(["sleep", "100"], in: .own, input: nil, output: nil, error: nil)
        #expect(sleeper.poll() == nil)
        sleeper.signalGroup(.kill)
        #expect(sleeper.wait() == 137)
        #expect(throws: Errno.noSuchFileOrDirectory) {
            try ChildProcess(["no-such-program-anywhere"], in: .own, input: nil, output: nil, error: nil).id
        }
    }

    @Test func `names from the system are whole`() throws {
        #expect(try realPath("/usr/../usr/.") == "/usr")
        #expect(throws: Errno.noSuchFileOrDirectory) { try realPath("/none/of/it") }
        #expect(workingDirectory() == FileManager.default.currentDirectoryPath)
        #expect(userName(0) == "root")
        #expect(localTime(0).count == "1970-01-01 00:00".count)
        #expect(try exists(ownPath()))
        #expect(nodeName()?.isEmpty == false)
    }

    @Test func `an empty variable is set, but nothing to go by`() {
        setenv("DEPTOOL_PLATFORM_TEST", "", 1)
        #expect(variable("DEPTOOL_PLATFORM_TEST") == "")
        #expect(environment("DEPTOOL_PLATFORM_TEST") == nil)
        setenv("DEPTOOL_PLATFORM_TEST", "x", 1)
        #expect(environment("DEPTOOL_PLATFORM_TEST") == "x")
        unsetenv("DEPTOOL_PLATFORM_TEST")
        #expect(variable("DEPTOOL_PLATFORM_TEST") == nil)
    }
}
