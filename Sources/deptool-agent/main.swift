import AgentCore
import CSystem

csys_ignore_hangup_and_pipe()
csys_set_umask(0o022)
// Also of an agent that crashes while a secret is open.
csys_hide_memory()

// All requests arrive on standard input, but for that of the unit that runs at boot.
if csys_was_told("secrets") { csys_exit(Agent.openSecrets()) }
Agent(
    system: System(), port: ClientChannel(input: 0, output: 1), executor: DetachedExecutor(), ownName: String(cString: csys_own_name())
).run()
