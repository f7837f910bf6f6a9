import Model

extension HostSettings {
    /// Queries the system's `ssh` for its settings for `name` (`ssh -G`, ssh(1)), the only parser of ssh_config.
    ///
    /// `configurationFile` replaces the user's and the system's configuration (`ssh -F`). Takes some milliseconds;
    /// `Match exec` in the configuration runs. Throws ``SSHError/sshNotFound``,
    /// ``SSHError/configurationRefused(printed:)``, ``SSHError/settingInvalid(keyword:value:)``, and errors that end
    /// a wait.
    package static func ask(
        for name: Hostname, configurationFile: String? = nil, local: LocalUser, interrupt: Interrupt,
        deadline: Deadline
    ) throws(SSHError) -> HostSettings {
        var arguments = ["ssh", "-G", "-T"]
        if let configurationFile { arguments += ["-F", configurationFile] }
        arguments += ["--", name.text]
        let finished = try Subprocess.run(
            arguments, limit: 1 << 20, interrupt: interrupt, deadline: deadline, phase: .readingSettings)
        guard finished.status == 0 else {
            throw .configurationRefused(printed: String(decoding: finished.error.prefix(4096), as: UTF8.self))
        }
        return try HostSettings(
            name: name, printed: String(decoding: finished.output, as: UTF8.self), local: local,
            configurationFile: configurationFile)
    }
}
