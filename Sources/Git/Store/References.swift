import CGit2
import Model

private let remotes = "refs/remotes/"
private let main = "refs/heads/main"

extension Store {
    /// Whether the store can hold the host's deployed commit: `refs/remotes/<host>` must be a valid reference name
    /// (git-check-ref-format(1)).
    package static func canHold(_ host: Hostname) -> Bool {
        // A hostname has no other characters that Git rejects. The lock file beside it needs five bytes.
        let name = host.text
        return !name.hasSuffix(".lock") && !name.hasSuffix(".") && name.utf8.count <= 250
            && !zip(name.utf8, name.utf8.dropFirst()).contains { $0 == 0x2e && $1 == 0x2e }
    }

    /// Each host's deployed commit in this store: all of `refs/remotes`, sorted by host.
    package func deployedCommits() throws(StoreError) -> [(host: Hostname, commit: ObjectID)] {
        let iterator = try unsafe Handle("list what the hosts run", git_reference_iterator_free) {
            unsafe git_reference_iterator_glob_new(&$0, repository, remotes + "*")
        }
        var result: [(host: Hostname, commit: ObjectID)] = []
        while true {
            var made: OpaquePointer?
            let code = unsafe git_reference_next(&made, iterator.pointer)
            if code == GIT_ITEROVER.rawValue { break }
            try check("list what the hosts run") { code }
            guard let made = unsafe made else { break }
            let reference = unsafe Handle(made, git_reference_free)
            let name = unsafe string(git_reference_name(reference.pointer))
            guard let host = Hostname(String(name.dropFirst(remotes.count))),
                let target = unsafe git_reference_target(reference.pointer)
            else { continue }
            result.append((host, ObjectID(unsafe target.pointee)))
        }
        return result.sorted { $0.host < $1.host }
    }

    /// The host's deployed commit in this store.
    package func deployedCommit(_ host: Hostname) throws(StoreError) -> ObjectID? {
        guard Self.canHold(host) else { return nil }
        return try target(of: remotes + host.text)
    }

    /// Records the host's deployed commit, with `reason` in the reference's log; nil if nothing is deployed any more.
    package func setDeployed(_ host: Hostname, _ commit: ObjectID?, reason: String) throws(StoreError) {
        guard Self.canHold(host) else { throw .unusableHostname(host) }
        try set(remotes + host.text, commit, reason: reason)
    }

    /// Records it unless the recorded commit is no longer `before`: another process has newer information then.
    /// Returns whether it did.
    @discardableResult
    package func setDeployed(
        _ host: Hostname, _ commit: ObjectID?, insteadOf before: ObjectID?, reason: String
    ) throws(StoreError) -> Bool {
        try exclusively { () throws(StoreError) in
            guard try deployedCommit(host) == before else { return false }
            try setDeployed(host, commit, reason: reason)
            return true
        }
    }

    /// The newest commit made by this store: `refs/heads/main`.
    package func lastCommit() throws(StoreError) -> ObjectID? { try target(of: main) }

    /// Records it, with `reason` in the reference's log.
    package func setLastCommit(_ commit: ObjectID?, reason: String) throws(StoreError) {
        try set(main, commit, reason: reason)
    }

    private func target(of name: String) throws(StoreError) -> ObjectID? {
        var oid = git_oid()
        let code = unsafe git_reference_name_to_id(&oid, repository, name)
        if code == GIT_ENOTFOUND.rawValue { return nil }
        try check("read \(name)") { code }
        return ObjectID(oid)
    }

    private func set(_ name: String, _ commit: ObjectID?, reason: String) throws(StoreError) {
        try exclusively { () throws(StoreError) in
            try retrying { () throws(StoreError) in try setOnce(name, commit, reason: reason) }
        }
    }

    private func setOnce(_ name: String, _ commit: ObjectID?, reason: String) throws(StoreError) {
        guard let commit else {
            let code = unsafe git_reference_remove(repository, name)
            if code != GIT_ENOTFOUND.rawValue { try check("remove \(name)") { code } }
            return
        }
        let author = author()
        try check("name who writes \(name)") { unsafe git_repository_set_ident(repository, author.name, author.email) }
        var oid = commit.oid
        _ = try unsafe Handle("write \(name)", git_reference_free) { unsafe git_reference_create(&$0, repository, name, &oid, 1, reason) }
    }
}
