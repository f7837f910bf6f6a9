import Deployment
import Model

/// Findings as JSON.
package func doctorJSON(_ findings: [Diagnosis], exit: Int32) -> JSONValue {
    let rows = findings.map { finding -> JSONValue in
        [
            "host": JSONValue(finding.host?.text), "check": .string(finding.check), "verdict": .string(finding.verdict.rawValue),
            "message": .string(finding.message), "help": JSONValue(finding.help),
        ]
    }
    return ["type": "doctor", "findings": .list(rows), "exit": .number(Int64(exit))]
}
