import CGit2
import Model
import Platform

extension Store {
    /// A setting of this store, such as `deptool.settle`; nil if unset. Keys are Git's: a section, a dot, a name.
    package func configuration(_ key: String) throws(StoreError) -> String? {
        try unsafe withConfiguration { configuration throws(StoreError) in
            try unsafe value(key, in: configuration)
        }
    }

    /// Changes a setting of this store (git_config_set_string); nil unsets it.
    package func setConfiguration(_ key: String, _ value: String?) throws(StoreError) {
        try exclusively { () throws(StoreError) in
            try retrying { () throws(StoreError) in
                try unsafe withConfiguration { configuration throws(StoreError) in
                    if let value {
                        try check("set \(key)") { unsafe git_config_set_string(configuration, key, value) }
                    } else {
                        let code = unsafe git_config_delete_entry(configuration, key)
                        if code != GIT_ENOTFOUND.rawValue { try check("unset \(key)") { code } }
                    }
                }
            }
        }
    }

    /// The operator's identity, found as in git-commit(1): `GIT_AUTHOR_NAME` and `GIT_AUTHOR_EMAIL`, `user.name` and
    /// `user.email` of the Git configuration, `EMAIL`, and finally the login name at this machine.
    package func author() -> Author {
        let login = environment("USER") ?? environment("LOGNAME") ?? "uid\(userID)"
        let name = environment("GIT_AUTHOR_NAME") ?? setting("author.name") ?? setting("user.name")
        let email =
            environment("GIT_AUTHOR_EMAIL") ?? setting("author.email") ?? setting("user.email") ?? environment("EMAIL")
        let author = Author(name: name ?? login, email: email ?? "\(login)@\(nodeName() ?? "localhost")")
        return author.name.isEmpty ? Author(name: login, email: author.email) : author
    }

    /// Whether Git has a configured identity.
    package var hasConfiguredAuthor: Bool {
        (environment("GIT_AUTHOR_NAME") ?? setting("author.name") ?? setting("user.name")) != nil
            && (environment("GIT_AUTHOR_EMAIL") ?? setting("author.email") ?? setting("user.email") ?? environment("EMAIL")) != nil
    }

    /// A setting of the store or, failing that, of the user or the system. Unreadable files count as unset.
    private func setting(_ key: String) -> String? {
        let found = try? unsafe withConfiguration(userFiles) { configuration throws(StoreError) in
            return try unsafe value(key, in: configuration)
        }
        return found ?? nil
    }

    /// The problem with the configuration files of the user and the system, if any.
    package var configurationProblem: String? {
        do throws(StoreError) {
            for file in userFiles {
                try unsafe withConfiguration([]) { configuration throws(StoreError) in try unsafe add(file, to: configuration) }
            }
            return nil
        } catch {
            return error.phrase
        }
    }

    private typealias ConfigurationFile = (level: git_config_level_t, path: String)

    /// The files that git(1) reads besides the store's.
    private var userFiles: [ConfigurationFile] {
        var files: [ConfigurationFile] = []
        if environment("GIT_CONFIG_NOSYSTEM") == nil {
            files.append((GIT_CONFIG_LEVEL_SYSTEM, environment("GIT_CONFIG_SYSTEM") ?? "/etc/gitconfig"))
        }
        if let path = environment("GIT_CONFIG_GLOBAL") { return files + [(GIT_CONFIG_LEVEL_GLOBAL, path)] }
        let home = environment("HOME")
        if let directory = environment("XDG_CONFIG_HOME") ?? home.map({ $0 + "/.config" }) {
            files.append((GIT_CONFIG_LEVEL_XDG, directory + "/git/config"))
        }
        if let home { files.append((GIT_CONFIG_LEVEL_GLOBAL, home + "/.gitconfig")) }
        return files
    }

    /// Opens the store's configuration, with those of the other files that can be read.
    private func withConfiguration<T>(
        _ others: [ConfigurationFile] = [], _ body: (OpaquePointer) throws(StoreError) -> T
    ) throws(StoreError) -> T {
        let configuration = try unsafe Handle("read the configuration", git_config_free) { unsafe git_config_new(&$0) }
        try unsafe add((GIT_CONFIG_LEVEL_LOCAL, path + "/config"), to: configuration.pointer)
        for file in others { try? unsafe add(file, to: configuration.pointer) }
        return try unsafe body(configuration.pointer)
    }

    /// Passes the repository, for `includeIf`.
    private func add(_ file: ConfigurationFile, to configuration: OpaquePointer) throws(StoreError) {
        try check("read \(file.path)") {
            unsafe git_config_add_file_ondisk(configuration, file.path, file.level, repository, 1)
        }
    }

    private func value(_ key: String, in configuration: OpaquePointer) throws(StoreError) -> String? {
        var made: UnsafeMutablePointer<git_config_entry>?
        let code = unsafe git_config_get_entry(&made, configuration, key)
        if code == GIT_ENOTFOUND.rawValue { return nil }
        try check("read \(key)") { code }
        defer { unsafe git_config_entry_free(made) }
        guard let entry = unsafe made else { return nil }
        return unsafe string(entry.pointee.value)
    }
}
