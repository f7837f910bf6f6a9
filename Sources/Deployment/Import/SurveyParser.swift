import Model
import Planning

/// The output of ``SurveyScript``, in pieces that each begin with the key and a word.
struct SurveyPieces {
    private(set) var pieces: [(word: String, rest: ArraySlice<UInt8>)] = []
    private(set) var isComplete = false

    init(_ bytes: [UInt8], key: String) {
        let key = Array("\(key) ".utf8)
        var starts: [Int] = []
        var position = 0
        while let range = bytes[position...].firstRange(of: key) {
            starts.append(range.lowerBound)
            position = range.upperBound
        }
        for (index, start) in starts.enumerated() {
            let piece = bytes[(start + key.count)..<(index + 1 < starts.count ? starts[index + 1] : bytes.count)]
            let word = piece.prefix { $0 != 0x20 && $0 != 0x0a }
            // The separator after the word is not part of the rest.
            pieces.append((String(decoding: word, as: UTF8.self), piece.dropFirst(word.count + 1)))
        }
        isComplete = pieces.last?.word == "end"
    }
}

extension HostSurvey {
    /// The largest number of files that a look at a host may find.
    static let maximumPieces = 200_000
    /// Each is compared with each file.
    private static let maximumEnvironment = 1000

    /// Nil if there is anything that the script does not print.
    init?(_ pieces: SurveyPieces) {
        self.init()
        guard pieces.isComplete, pieces.pieces.count < Self.maximumPieces else { return nil }
        var (link, target): (ArraySlice<UInt8>?, AbsolutePath?) = (nil, nil)
        var targets: [[UInt8]: Target] = [:]
        var copied: [AbsolutePath: String] = [:]
        for (word, rest) in pieces.pieces {
            switch word {
            case "hostname": hostname = Self.lines(rest).first ?? ""
            case "file":
                guard let entry = Self.entry(Self.line(rest)) else { return nil }
                entries.append(entry)
            case "files":
                for line in rest.split(separator: 0x0a) {
                    guard let entry = Self.entry(line), entries.count < Self.maximumPieces else { return nil }
                    entries.append(entry)
                }
            case "directory", "directories":
                for line in rest.split(separator: 0x0a) {
                    guard let entry = Self.entry(line) else { return nil }
                    if entry.status.mode & 0o001 != 0, let path = entry.path { openDirectories.insert(path) }
                }
            case "link": (link, target) = (Self.line(rest), nil)
            case "target": target = Self.path(Self.line(rest)).path
            case "to":
                guard let (status, _) = Self.status(rest) else { return nil }
                if let link, let target { targets[Array(link)] = Target(path: target, status: status) }
            case "environment":
                let lines = Self.lines(rest)
                guard lines.count == 2, let unit = try? AbsolutePath(lines[0]), environment.count < Self.maximumEnvironment else {
                    continue
                }
                environment.append(EnvironmentFile(unit: unit, value: lines[1]))
            case "packages": readPackages(rest)
            case "conffiles": readConffiles(rest)
            case "sums":
                hasPackages = true
                for (sum, path) in Self.sums(rest) { if let path { sums[path] = sum } }
            case "pristine":
                for (sum, path) in Self.sums(rest) {
                    pristine.insert(sum)
                    if let path { copied[path] = sum }
                }
            // `PACKAGE PATH` of files that packages copy to their places with ucf(1): they are conffiles, too.
            case "registry":
                for line in Self.lines(rest) {
                    let package = line.prefix { $0 != " " && $0 != "\t" }
                    guard let path = try? AbsolutePath(String(line.drop { $0 != "/" })), let sum = copied[path] else { continue }
                    conffiles[path] = Conffile(package: String(package), md5: sum)
                }
            case "unitfiles": enablement = Self.states(rest, column: 1)
            case "units": activity = Self.states(rest, column: 2)
            case "mounts":
                let points = Self.lines(rest).compactMap { $0.split(separator: " ").dropFirst(4).first.map(String.init) }
                mountPoints = Set(points.compactMap { try? AbsolutePath($0) })
            case "programs": programs = Set(Self.lines(rest))
            case "end": break
            default: return nil
            }
        }
        for index in entries.indices where entries[index].status.isSymlink {
            entries[index].target = entries[index].path.flatMap { targets[Array($0.text.utf8)] }
        }
        // A directory and an entry of it may both be named; two entries of a path would be two files of an app.
        var seen: Set<AbsolutePath> = []
        entries = entries.filter { entry in entry.path.map { seen.insert($0).inserted } ?? true }
    }

    /// `MODE SIZE OWNER GROUP NAME`; the name may have any bytes.
    fileprivate static func entry(_ bytes: ArraySlice<UInt8>) -> Entry? {
        guard let (status, name) = status(bytes) else { return nil }
        let (path, problem) = path(name)
        return Entry(path: path, problem: problem, shown: String(decoding: name.prefix(4096), as: UTF8.self), status: status)
    }

    private static func status(_ bytes: ArraySlice<UInt8>) -> (Status, rest: ArraySlice<UInt8>)? {
        let words = bytes.split(maxSplits: 4, omittingEmptySubsequences: false) { $0 == 0x20 || $0 == 0x0a }
        guard words.count == 5, let mode = UInt32(String(decoding: words[0], as: UTF8.self), radix: 16), mode <= 0o177777,
            let size = UInt64(String(decoding: words[1], as: UTF8.self))
        else { return nil }
        let names = words[2...3].map { String(decoding: $0.prefix(256), as: UTF8.self) }
        return (Status(mode: mode, size: size, owner: names[0], group: names[1]), words[4])
    }

    /// Without text that is no UTF-8, which Deptool's paths are.
    fileprivate static func path(_ bytes: ArraySlice<UInt8>) -> (path: AbsolutePath?, problem: PathError?) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return (nil, nil) }
        do { return (try AbsolutePath(text), nil) } catch { return (nil, error) }
    }

    private static func line(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> { bytes.last == 0x0a ? bytes.dropLast() : bytes }

    private static func lines(_ bytes: ArraySlice<UInt8>) -> [String] {
        bytes.split(separator: 0x0a).map { String(decoding: $0.prefix(8192), as: UTF8.self) }
    }

    /// Names, each with lines ` PATH`.
    private mutating func readPackages(_ bytes: ArraySlice<UInt8>) {
        var name = ""
        for line in Self.lines(bytes) {
            if !line.hasPrefix(" ") { name = line } else if let path = try? AbsolutePath(String(line.dropFirst())) { owners[path] = name }
        }
    }

    /// Names, each with lines ` PATH MD5 [obsolete]`.
    private mutating func readConffiles(_ bytes: ArraySlice<UInt8>) {
        var name = ""
        for line in Self.lines(bytes) {
            guard line.hasPrefix(" ") else {
                name = line
                continue
            }
            var words = line.split(separator: " ")
            while let last = words.last, words.count > 2, last == "obsolete" || last == "remove-on-upgrade" { words.removeLast() }
            guard words.count >= 2, let sum = words.popLast(), sum.count == 32 else { continue }
            if let path = try? AbsolutePath(words.joined(separator: " ")) { conffiles[path] = Conffile(package: name, md5: String(sum)) }
        }
    }

    /// Lines of md5sum(1). Those of odd names begin with a backslash, and are of no use.
    private static func sums(_ bytes: ArraySlice<UInt8>) -> [(sum: String, path: AbsolutePath?)] {
        lines(bytes).compactMap { line in
            let sum = line.prefix(32)
            guard sum.utf8.count == 32, sum.allSatisfy(\.isHexDigit) else { return nil }
            return (String(sum), try? AbsolutePath(String(line.dropFirst(34))))
        }
    }

    /// A word of each line, by the first one.
    private static func states(_ bytes: ArraySlice<UInt8>, column: Int) -> [String: String] {
        var states: [String: String] = [:]
        for line in lines(bytes) {
            let words = line.split(separator: " ")
            if words.count > column { states[String(words[0])] = String(words[column]) }
        }
        return states
    }
}

/// The content of a file of a host, or why there is none.
package enum FoundContent: Hashable, Sendable {
    case whole([UInt8])
    case leftOut(LeftOut.Reason)

    /// Nil if the output is not of this many files.
    static func read(_ pieces: SurveyPieces, of files: [FoundFile]) -> [FoundContent]? {
        var found: [FoundContent] = []
        var (opened, content): (ArraySlice<UInt8>?, ArraySlice<UInt8>?)
        for (word, rest) in pieces.pieces {
            switch word {
            case "file":
                guard opened == nil else { return nil }
                opened = rest
            case "content":
                guard opened != nil, content == nil else { return nil }
                content = rest
            case "acl", "unreadable", "whole":
                guard let place = opened, found.count < files.count else { return nil }
                let file = files[found.count]
                if word != "whole" {
                    found.append(.leftOut(word == "acl" ? .accessControlList : .unreadable))
                } else {
                    guard let content, content.last == 0x0a else { return nil }
                    let isSame = isUnchanged(file, place) && UInt64(content.count - 1) == file.status.size
                    found.append(
                        isSame && file.status.size <= ImportLimits.file ? .whole(Array(content.dropLast())) : .leftOut(.changedMeanwhile))
                }
                (opened, content) = (nil, nil)
            case "end": break
            default: return nil
            }
        }
        return found.count == files.count && opened == nil && pieces.isComplete ? found : nil
    }

    /// Whether what was opened is as the survey found the file, and in a place that everybody can read: its path, its status, and
    /// those of the directories above it, one a line.
    private static func isUnchanged(_ file: FoundFile, _ opened: ArraySlice<UInt8>) -> Bool {
        let lines = opened.split(separator: 0x0a)
        let entries = lines.dropFirst().map { HostSurvey.entry($0) }
        guard let path = lines.first.flatMap({ HostSurvey.path($0).path }), entries.first??.status == file.status else { return false }
        var seen = HostSurvey()
        for entry in entries.dropFirst() {
            guard let entry else { return false }
            if entry.status.mode & 0o001 != 0, let directory = entry.path { seen.openDirectories.insert(directory) }
        }
        return seen.isPublic(path, file.status)
    }
}
