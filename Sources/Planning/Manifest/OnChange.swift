import Model

/// The rules of a manifest for one unit: its reactions to changed files.
package struct OnChange: Hashable, Sendable {
    package var unit: UnitName
    package var rules: [Rule] = []
    /// In the manifest, counted from 1.
    var line: Int
    /// For the rule of a directory with a meaning: the reaction of a unit that is down and in no app's list; nil for rules of a manifest.
    var ifDown: Step.IfDown?

    package struct Rule: Hashable, Sendable {
        /// The app that has the files; nil for the manifest's own.
        var app: AppName?
        /// A file, or a directory with everything below it; nil for the whole app.
        var path: RelativePath?
        var isDirectory: Bool
        package var reaction: Reaction
        /// As written.
        package var text: String
        /// In the manifest, counted from 1.
        var line: Int

        /// Nil for a text that names no file: `conf`, `conf/`, `./` for the whole app, each also behind `../APP/`.
        init?(_ text: String, _ reaction: Reaction, line: Int) {
            (self.text, self.reaction, self.line) = (text, reaction, line)
            isDirectory = text.hasSuffix("/")
            var rest = text[...]
            if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                guard let slash = rest.firstIndex(of: "/"), let app = AppName(String(rest[..<slash])) else { return nil }
                self.app = app
                rest = rest[rest.index(after: slash)...]
                if rest.isEmpty { return }
            } else if rest == "./" {
                return
            }
            guard let path = try? RelativePath(String(isDirectory ? rest.dropLast() : rest)) else { return nil }
            self.path = path
        }

        /// How specific the rule is for a file of `app`; nil if it does not apply. `owner` is the manifest's app.
        func match(_ file: RelativePath, of app: AppName, owner: AppName) -> Int? {
            guard (self.app ?? owner) == app else { return nil }
            guard let path else { return 0 }
            let isMatch = isDirectory ? file.below(path.text) != nil : file == path
            return isMatch ? path.components.count * 2 + (isDirectory ? 0 : 1) : nil
        }
    }

    /// The reaction to a changed file by the longest rule that matches; nil if none does.
    func reaction(to file: RelativePath, of app: AppName, owner: AppName) -> Reaction? {
        var best: (length: Int, reaction: Reaction)?
        for rule in rules {
            guard let length = rule.match(file, of: app, owner: owner), length >= best?.length ?? 0 else { continue }
            best = (length, rule.reaction)
        }
        return best?.reaction
    }

    init(unit: UnitName, line: Int) { (self.unit, self.line) = (unit, line) }

    /// The rule of a directory with a meaning; nil if no unit reads its files.
    init?(_ directory: PlacedDirectory) {
        guard case .unit(let name, let reaction, let ifDown) = directory.effect, let unit = UnitName(name),
            let rule = Rule(directory.name + "/", reaction, line: 0)
        else { return nil }
        (self.unit, line, rules, self.ifDown) = (unit, 0, [rule], ifDown)
    }

    // MARK: Parsing

    /// The value of `systemd.on_change`.
    static func parse(_ json: JSON) throws(FormatError) -> [OnChange] {
        var all: [OnChange] = []
        for (name, value) in try FormatError.object(json, named: "systemd.on_change") {
            if let kind = UnitKind(unstartable: name) { throw .unstartable(name, line: value.line, kind) }
            guard let unit = UnitName(name) else { throw .badUnit(name, line: value.line) }
            var one = OnChange(unit: unit, line: value.line)
            let key = "systemd.on_change.\(name)"
            var seen: Set<String> = []
            for (word, list) in try FormatError.object(value, named: key) {
                guard let reaction = Reaction(word) else {
                    throw .unknownKey("\(key).\(word)", line: list.line, known: ["reload", "restart", "nothing"])
                }
                guard case .array(let elements) = list.value else {
                    throw .wrongType("\(key).\(word)", line: list.line, expected: "a list", found: list.kind)
                }
                for element in elements {
                    guard case .string(let text) = element.value else {
                        throw .wrongType("\(key).\(word)", line: element.line, expected: "paths", found: element.kind)
                    }
                    guard let rule = Rule(text, reaction, line: element.line) else { throw .badRule(text, line: element.line) }
                    let path = text.hasSuffix("/") ? String(text.dropLast()) : text
                    guard seen.insert(path).inserted else {
                        throw .duplicate("the path '\(text)' of \(name)", line: element.line)
                    }
                    one.rules.append(rule)
                }
            }
            guard !one.rules.isEmpty else { throw .noRules(name, line: value.line) }
            all.append(one)
        }
        return all
    }
}

extension Reaction {
    fileprivate init?(_ word: String) {
        switch word {
        case "reload": self = .reload
        case "restart": self = .restart
        case "nothing": self = .nothing
        default: return nil
        }
    }
}
