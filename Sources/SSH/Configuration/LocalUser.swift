import CSystem

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
        var name = [CChar](repeating: 0, count: 1024), home = [CChar](repeating: 0, count: 4096)
        let found = unsafe csys_account(&name, name.count, &home, home.count) >= 0
        var machine = [CChar](repeating: 0, count: 256)
        let length = max(unsafe csys_nodename(&machine, machine.count), 0)
        return LocalUser(
            name: found ? text(name[...]) : "", home: found ? text(home[...]) : variable("HOME") ?? "/",
            id: UInt32(bitPattern: csys_getuid()), machine: text(machine.prefix(Int(length))), environment: variable)
    }

    private static func text(_ characters: ArraySlice<CChar>) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    @Sendable private static func variable(_ name: String) -> String? {
        unsafe csys_getenv(name).map { unsafe String(cString: $0) }
    }
}
