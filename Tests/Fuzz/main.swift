// Feeds one of the parsers with damaged input. The input at hand is always in the file CASE, so that whatever ends this
// process, a trap or a limit, leaves the input that did it.
//
//     fuzz TARGET SEED MILLISECONDS CASE [KEPT-CASE...]
//
// Kept cases come first, as they are.
import CSystem
import Foundation
import TestSupport

let arguments = CommandLine.arguments
guard arguments.count >= 5, let target = targets[arguments[1]], let seed = UInt64(arguments[2]), let limit = Int64(arguments[3])
else {
    print("targets: \(targets.keys.sorted().joined(separator: " "))")
    exit(2)
}
csys_ignore_hangup_and_pipe()
let record = open(arguments[4], O_RDWR | O_CREAT | O_TRUNC, 0o600)

/// One input may take ten seconds, and the process a gigabyte.
func attempt(_ input: [UInt8]) throws {
    ftruncate(record, 0)
    pwrite(record, input, input.count, 0)
    alarm(10)
    try target.run(input)
}

/// More than one input may need while the machine is busy elsewhere.
func peakMemory() -> Int {
    var usage = rusage()
    getrusage(0, &usage)  // of this process
    return Int(usage.ru_maxrss)
}

do {
    for path in arguments.dropFirst(5) { try attempt(Array(try Data(contentsOf: URL(filePath: path)))) }
    for sample in target.samples { try attempt(sample) }
    let begun = csys_monotonic_ns()
    var random = Seeded(seed)
    var count = 0
    while (csys_monotonic_ns() - begun) / 1_000_000 < limit {
        try attempt(random.mutate(target.samples))
        count += 1
        guard peakMemory() < 1 << 20 else { throw Broken("it takes more than a gigabyte of memory") }
    }
    print("\(count) inputs")
} catch {
    print("\(error)")
    exit(1)
}
