import Foundation
import TestSupport
import Testing

@testable import Display

@Suite struct JSONValueTests {
    @Test func `a value is one line, its keys in order`() {
        let value: JSONValue = [
            "z": .list([1, -2, true, .null]), "a": ["nested": "text"], "empty": .object([]), "none": .list([]),
        ]
        #expect(value.text == #"{"z":[1,-2,true,null],"a":{"nested":"text"},"empty":{},"none":[]}"#)
    }

    @Test func `characters that control a terminal are escaped`() {
        let text = "\"\\/\n\t\r\u{0}\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2028}é😀"
        #expect(JSONValue.string(text).text == #""\"\\/\n\t\u000d\u0000\u001b[2J\u007f\u009b\u202e\u2028é😀""#)
    }

    @Test func `any text survives encoding and decoding`() throws {
        var generator = Seeded()
        for _ in 0..<300 {
            let text = String(decoding: generator.bytes(Int.random(in: 0...60, using: &generator)), as: UTF8.self)
            let json = try JSONSerialization.jsonObject(with: Data(JSONValue.list([.string(text)]).text.utf8))
            #expect((json as? [String])?.first.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars), "seed \(generator.seed)")
        }
    }

    @Test(arguments: [
        ("paln", "plan"), ("dploy", "deploy"), ("statsu", "status"), ("web11", "web1"), ("Plan", "plan"), ("undoo", "undo"),
    ])
    func `a misspelt word suggests the right one`(word: String, meant: String) {
        #expect(near(word, among: ["deploy", "plan", "status", "undo", "web1", "log"]) == meant)
    }

    @Test(arguments: ["", "x", "something", "verylongwordthatisnothing", "dlp"]) func `other words suggest none`(word: String) {
        #expect(near(word, among: ["deploy", "plan", "status", "undo"]) == nil)
    }
}
