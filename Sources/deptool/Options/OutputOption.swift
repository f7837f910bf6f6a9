import ArgumentParser
import Display

struct OutputOption: ParsableArguments {
    @Flag(help: "Print JSON, one document a line.")
    var json = false

    /// Writes the JSON or the text.
    func write(_ value: @autoclosure () throws -> JSONValue, or text: @autoclosure () throws -> String) rethrows {
        if json { JSONOutput.write(try value()) } else { Terminal.write(try text()) }
    }
}

/// Writes JSON objects to standard output, one per line, from any thread.
enum JSONOutput {
    static func write(_ value: JSONValue) { Terminal.write(value.text + "\n") }
}
