extension Host {
    /// The state of all units: a line for each unit that is not inactive (its name, ActiveState, SubState), for each unit
    /// file (its name, UnitFileState), and for each symlink below `/etc/systemd/system`. Equal before a deploy and after its
    /// rollback.
    ///
    /// Logins come and go with the tests' own connections, so what belongs to them is left out.
    func units() throws -> String {
        let text = try run(
            """
            systemctl list-units --all --plain --no-legend --no-pager --full |
                awk '$3 != "inactive" && $1 !~ /[.](device|scope)$|^user-|^user@|^run-(user|credentials)-/ { print "unit", $1, $3, $4 }'
            systemctl list-unit-files --plain --no-legend --no-pager --full |
                awk '$1 !~ /[.]scope$/ { print "file", $1, $2 }'
            find /etc/systemd/system -type l -printf 'link %p -> %l\\n'
            """)
        return text.split(separator: "\n").sorted().joined(separator: "\n")
    }
}
