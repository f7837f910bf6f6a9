import CGit2
import Model
import Platform

/// The author of a commit: the operator who deploys.
package struct Author: Hashable, Sendable {
    package let name: String
    package let email: String

    /// Drops characters that Git forbids in a commit's header: `<`, `>` and control characters.
    package init(name: String, email: String) {
        func clean(_ text: String) -> String {
            let kept = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f && $0 != "<" && $0 != ">" }
            var result = Substring(String(String.UnicodeScalarView(kept)))
            while result.first == " " { result.removeFirst() }
            while result.last == " " { result.removeLast() }
            return String(result)
        }
        self.name = clean(name)
        self.email = clean(email)
    }

    /// `Name <email>`.
    package var text: String { "\(name) <\(email)>" }
}

/// A commit of the store: one deploy of a config tree.
package struct Commit: Hashable, Sendable {
    package var id: ObjectID
    /// The cluster's root tree.
    package var tree: ObjectID
    package var parents: [ObjectID]
    package var author: Author
    /// Seconds since the epoch.
    package var time: Int64
    /// Without the final newline.
    package var message: String

    package init(id: ObjectID, tree: ObjectID, parents: [ObjectID], author: Author, time: Int64, message: String) {
        self.id = id
        self.tree = tree
        self.parents = parents
        self.author = author
        self.time = time
        self.message = message
    }
}

extension Store {
    /// Makes a commit; no reference points to it yet. `time` is in seconds since the epoch, recorded as UTC.
    /// Everything written so far, including by `note`, is on disk on return (syncfs(2)).
    package func commit(
        tree: ObjectID, parent: ObjectID?, author: Author, message: String, time: Int64,
        note: (ObjectID) throws(StoreError) -> Void = { _ in }
    ) throws(StoreError) -> ObjectID {
        let signature = "\(author.text) \(max(time, 0)) +0000"
        var text = "tree \(tree.hex)\n"
        if let parent { text += "parent \(parent.hex)\n" }
        text += "author \(signature)\ncommitter \(signature)\n\n\(message)"
        if !text.hasSuffix("\n") { text += "\n" }
        let id = try write(RecordedObject(kind: .commit, bytes: Array(text.utf8)))
        try note(id)
        try synchronize()
        return id
    }

    /// The commit whose ID begins with these digits, at least four (git_commit_lookup_prefix).
    package func commit(named digits: String) throws(StoreError) -> ObjectID {
        var oid = git_oid()
        let length = digits.utf8.count
        guard (4...40).contains(length), digits.allSatisfy(\.isHexDigit),
            unsafe git_oid_fromstrn(&oid, digits, length) == 0
        else { throw .unknownCommit(digits) }
        var made: OpaquePointer?
        let code = unsafe git_commit_lookup_prefix(&made, repository, &oid, length)
        if code == GIT_EAMBIGUOUS.rawValue { throw .ambiguousCommit(digits) }
        guard code == 0, let made = unsafe made else { throw .unknownCommit(digits) }
        let commit = unsafe Handle(made, git_commit_free)
        guard let id = unsafe git_commit_id(commit.pointer) else { throw .unknownCommit(digits) }
        return ObjectID(unsafe id.pointee)
    }

    /// The contents of a commit (git_commit_lookup).
    package func commitInfo(_ id: ObjectID) throws(StoreError) -> Commit {
        var oid = id.oid
        let handle = try unsafe Handle(id, git_commit_free) { unsafe git_commit_lookup(&$0, repository, &oid) }
        let commit = unsafe handle.pointer
        guard let tree = unsafe git_commit_tree_id(commit), let author = unsafe git_commit_author(commit) else {
            throw .damagedObject(id)
        }
        var parents: [ObjectID] = []
        for index in 0..<(unsafe git_commit_parentcount(commit)) {
            guard let parent = unsafe git_commit_parent_id(commit, index) else { throw .damagedObject(id) }
            parents.append(ObjectID(unsafe parent.pointee))
        }
        let message = unsafe string(git_commit_message(commit))
        return Commit(
            id: id, tree: ObjectID(unsafe tree.pointee), parents: parents,
            author: Author(name: unsafe string(author.pointee.name), email: unsafe string(author.pointee.email)),
            time: unsafe author.pointee.when.time,
            message: message.hasSuffix("\n") ? String(message.dropLast()) : message)
    }

    /// Waits until everything written to the store's file system is on disk.
    package func synchronize() throws(StoreError) {
        let directory = try attempt("open", path, try FileDescriptor(directory: path))
        try attempt("write", path, try directory.synchronizeFileSystem())
    }
}

/// Text from libgit2; invalid UTF-8 becomes replacement characters.
func string(_ text: UnsafePointer<CChar>?) -> String {
    guard let text = unsafe text else { return "" }
    return unsafe String(cString: text)
}
