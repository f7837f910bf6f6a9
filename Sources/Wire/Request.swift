import Model

/// A request of the client to the agent.
package indirect enum Request: Hashable, Sendable {
    /// Lock the host and stage a deploy. The announced contents follow at once.
    case prepare(Preparation)
    /// The next bytes of the announced contents, one content after the other, at most `Frame.contentLimit` a message.
    case content(ArraySlice<UInt8>)
    /// Contents that the host reported missing; they follow as `content`.
    case supply([Content])
    /// Run the prepared steps.
    case apply
    /// Confirm to the step that waits for a confirmation.
    case confirm
    /// Cancel the current work: roll back, or discard the staged files and unlock.
    case cancel
    /// Send the record.
    case record
    /// Send the content of these files of the record, if they are unchanged.
    case fetch([ObjectID])
    /// Send the newest lines of the host's own log.
    case log
    /// Compare the host with its record. These apps must be private.
    case verify([PrivateApp])
    /// Send the content of these files if they are no larger than `Drift.maximumShown`.
    case read([AbsolutePath])
    /// Ask each of these probes once. None is a unit.
    case probe([Probe])
    /// Report the state of the host.
    case report
    case ping
}

/// A deploy to one host, with everything that the agent needs for it.
package struct Preparation: Hashable, Sendable {
    /// The commit that the host must have deployed, nil for none: the other half of the lock.
    package var expected: ObjectID?
    /// The operator's name, shown to another operator while the lock is held.
    package var holder: String
    /// The operator's own login, for the test of sshd; empty if no step needs it.
    package var login: String
    /// The host's record after the deploy.
    package var record: Record
    /// The contents that the host lacks, in sending order.
    package var contents: [Content]
    package var steps: [Step]
    /// Whether the host keeps no record, like one that nothing was ever deployed to.
    package var leavesNothing: Bool

    package init(
        expected: ObjectID?, holder: String, login: String = "", record: Record, contents: [Content], steps: [Step],
        leavesNothing: Bool = false
    ) {
        self.expected = expected
        self.holder = holder
        self.login = login
        self.record = record
        self.contents = contents
        self.steps = steps
        self.leavesNothing = leavesNothing
    }

    /// The version name of the checkouts that this deploy creates.
    package var version: Version { Version(record.commit) }
}

/// The content of one or more files, by its blob id.
package struct Content: Hashable, Sendable {
    package var id: ObjectID
    /// In bytes.
    package var size: UInt64

    package init(id: ObjectID, size: UInt64) {
        self.id = id
        self.size = size
    }

    /// Whether it is sent only after the host has reported its lock (1 MiB and more). A host that refuses the deploy
    /// would receive it in vain, and another may already have part of it.
    package var isLarge: Bool { size >= 1 << 20 }
}
