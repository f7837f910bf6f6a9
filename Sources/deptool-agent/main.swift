import AgentCore
import CSystem
import Model
import Wire

let record = Record(commit: .of(.blob, [1, 2, 3]), author: "x", time: 5, objects: [], apps: [], links: [], units: [])
print("\(record.commit.hex) \(record.encoded.count)")
if let r = try? Record(decoding: record.encoded) { print(r == record ? "same" : "different") }
let s = Step(AppName("x"), .check(UnitName("a.service")!, settle: .milliseconds(300)))
print("\(s.encoded.count)")
print("\(csys_getpid())")
