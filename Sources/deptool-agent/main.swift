import AgentCore
import CSystem

// The agent takes no arguments: all requests arrive on standard input.
csys_ignore_hangup_and_pipe()
csys_set_umask(0o022)

Agent(
    system: System(), port: Port(input: 0, output: 1), executor: DetachedExecutor(), ownName: String(cString: csys_own_name())
).run()
