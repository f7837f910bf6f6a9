import ArgumentParser
import Display

struct OutputOption: ParsableArguments {
    @Flag(help: "Print JSON, one document a line.")
    var json = false

    /// Writes one or the other.
    func write(_ value: @autoclosure () throws -> JSONValue, or text: @autoclosure () throws -> String) rethrows {
        if json { JSONOutput.write(try value()) } else { Terminal.write(try text()) }
    }
}

/// Objects of JSON on standard output, one a line, from whatever thread.
enum JSONOutput {
    static func write(_ value: JSONValue) { Terminal.write(value.text + "\n") }
}
