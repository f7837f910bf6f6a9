import Foundation

/// Compares the tool's output with `Manual/json-schema.json`: the parts of JSON Schema that it uses.
package struct Schema {
    package struct Violation: Error, CustomStringConvertible {
        var place: String
        var what: String
        package var description: String { "\(place.isEmpty ? "the whole" : place): \(what)" }
    }

    private let root: [String: Any]

    package init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Manual/json-schema.json")
        root = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
    }

    /// The objects of an output, one a line, each valid and with no key that is not described.
    package func objects(_ output: String) throws -> [[String: Any]] {
        try output.split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8), options: .fragmentsAllowed)
            guard let object = object as? [String: Any], let type = object["type"] as? String else {
                throw Violation(place: "", what: "no object with a type: \(line)")
            }
            // By its type, so that the message names the mistake.
            try check(object, ["$ref": "#/$defs/\(type)"], "")
            try check(object, root, "")
            return object
        }
    }

    /// Checks an object against one of the definitions.
    package func check(_ text: String, is definition: String) throws {
        try check(
            JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed), ["$ref": "#/$defs/\(definition)"], definition)
    }

    private func check(_ value: Any, _ schema: [String: Any], _ place: String) throws {
        func fail(_ what: String) throws { throw Violation(place: place, what: what) }
        for (keyword, rule) in schema {
            switch (keyword, rule) {
            case ("$schema", _), ("$defs", _): break
            case ("$ref", let path as String):
                let name = String(path.dropFirst("#/$defs/".count))
                guard let definitions = root["$defs"] as? [String: Any], let rule = definitions[name] as? [String: Any] else {
                    throw Violation(place: place, what: "no definition of \(name)")
                }
                try check(value, rule, place)
            case ("oneOf", let rules as [[String: Any]]):
                let fitting = rules.filter { (try? check(value, $0, place)) != nil }
                if fitting.count != 1 { try fail("fits \(fitting.count) of its alternatives: \(value)") }
            case ("type", let name as String): if !isA(value, name) { try fail("is no \(name): \(value)") }
            case ("type", let names as [String]):
                if !names.contains(where: { isA(value, $0) }) { try fail("is none of \(names): \(value)") }
            case ("const", let text as String): if value as? String != text { try fail("is not \(text): \(value)") }
            case ("enum", let words as [String]):
                if !words.contains(where: { $0 == value as? String }) { try fail("is none of \(words): \(value)") }
            case ("pattern", let pattern as String):
                if let text = value as? String, try Regex(pattern).firstMatch(in: text) == nil {
                    try fail("does not match \(pattern): \(text)")
                }
            case ("items", let rule as [String: Any]):
                for (index, element) in (value as? [Any] ?? []).enumerated() { try check(element, rule, "\(place)[\(index)]") }
            case ("minItems", let count as Int):
                if let items = value as? [Any], items.count < count { try fail("has fewer than \(count) items") }
            case ("properties", let rules as [String: [String: Any]]):
                for (key, value) in value as? [String: Any] ?? [:] {
                    if let rule = rules[key] { try check(value, rule, "\(place).\(key)") }
                }
            case ("required", let keys as [String]):
                for key in keys where (value as? [String: Any])?[key] == nil { try fail("lacks \(key)") }
            case ("additionalProperties", let allowed as Bool) where !allowed:
                let known = schema["properties"] as? [String: Any] ?? [:]
                for key in (value as? [String: Any] ?? [:]).keys where known[key] == nil {
                    try fail("has the key \(key), which is not described")
                }
            default: throw Violation(place: place, what: "the schema says \(keyword), which this does not know")
            }
        }
    }

    private func isA(_ value: Any, _ type: String) -> Bool {
        switch type {
        case "null": return value is NSNull
        case "string": return value is String
        case "array": return value is [Any]
        case "object": return value is [String: Any]
        // Foundation has one type for both; `c` is how Objective-C encodes a truth value.
        case "boolean": return (value as? NSNumber).map { $0.objCType.pointee == UInt8(ascii: "c") } ?? false
        case "integer": return (value as? NSNumber).map { $0.objCType.pointee != UInt8(ascii: "c") && !"\($0)".contains(".") } ?? false
        default: return false
        }
    }
}
