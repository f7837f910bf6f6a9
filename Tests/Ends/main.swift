import CSystem
import Platform

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

// ends: ends values that own something in every way that there is, and prints the ways in which that was not closed, or not
// zeroed. Also built as the tool is, since the optimizer can lose a deinit (see Platform's `FileDescriptor`).

// ends leave SIGNAL: ends itself by that signal, or 0 by exit, and leaves a directory.
if CommandLine.arguments.count == 3, let signal = Int32(CommandLine.arguments[2]) {
    csys_end_by_signals()
    let directory = try TemporaryDirectory(for: ["file", "other"])
    try FileDescriptor(creating: directory.path + "/file", mode: 0o600).writeAll([1].span)
    print(directory.path)
    fflush(nil)
    if signal == 0 { csys_exit(0) }
    raise(signal)
    complain("still there")
}

// ends open KEY FILE: opens a sealed file, then ends what it has, each time at the next line of its input.
if CommandLine.arguments.count == 4 {
    try open(CommandLine.arguments[3], with: CommandLine.arguments[2])
    step("gone")
    exit(0)
}

for (name, way) in descriptorWays {
    let before = openDescriptors()
    try? way()
    let left = openDescriptors().subtracting(before)
    if !left.isEmpty { complain("\(name): \(left.count) still open") }
    for number in left { close(number) }
}
for (name, way) in secretWays {
    secrets = []
    try? way()
    let left = secrets.filter { hasSecret($0) }.count
    if left > 0 { complain("\(name): \(left) still in memory") }
}
print("\(descriptorWays.count + secretWays.count) ways")
exit(complaints == 0 ? 0 : 1)
