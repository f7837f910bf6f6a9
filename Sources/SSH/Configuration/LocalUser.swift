import Platform

/// The user who runs Deptool, for the parts of ssh_config(5) that depend on it.
package struct LocalUser: Sendable {
    package var name: String
    package var home: String
    package var id: UInt32
    /// The client's hostname.
    package var machine: String
    /// The value of an environment variable.
    package var environment: @Sendable (_ name: String) -> String?

    package init(
        name: String, home: String, id: UInt32, machine: String,
        environment: @escaping @Sendable (_ name: String) -> String?
    ) {
        self.name = name
        self.home = home
        self.id = id
        self.machine = machine
        self.environment = environment
    }

    /// The user of this process, from the account database (getpwuid_r(3)) like ssh; from `HOME` if it has no entry.
    package static func current() -> LocalUser {
        let found = account()
        return LocalUser(
            name: found?.name ?? "", home: found?.home ?? variable("HOME") ?? "/", id: userID, machine: nodeName() ?? "",
            environment: { variable($0) })
    }
}
