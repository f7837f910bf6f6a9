import Model

/// What the client asks of the agent.
package indirect enum Request: Hashable, Sendable {
    /// Lock the host and stage a deploy; the contents it announces follow at once.
    case prepare(Preparation)
    /// The next bytes of the announced contents, one after the other, at most `Frame.contentLimit` a message.
    case content(ArraySlice<UInt8>)
    /// Contents that the host turned out to lack; they follow as `content`.
    case supply([Content])
    /// Run the steps that were prepared.
    case apply
    /// All is well, as far as the step that waits for a confirmation wants to know.
    case confirm
    /// Give up what is under way: roll back, or drop what was staged and unlock.
    case cancel
    /// Send the record.
    case record
    /// Send the content of these files of the record, those that are there as recorded.
    case fetch([ObjectID])
    /// Send the newest lines of the host's own log.
    case log
    /// Compare the host with its record. These apps are to be private.
    case verify([PrivateApp])
    /// Send what is in these files, as far as they are no larger than `Drift.maximumShown`.
    case read([AbsolutePath])
    /// Say how the host is.
    case report
    case ping
}

/// A deploy to one host: all that the agent needs to know to do it.
package struct Preparation: Hashable, Sendable {
    /// The commit that the host must have deployed, nil for none: the other half of the lock.
    package var expected: ObjectID?
    /// Who asks, for the message that another operator gets while the lock is held.
    package var holder: String
    /// The operator's own login, as sshd is to test it; empty when no step wants to know.
    package var login: String
    /// What the host's record will be.
    package var record: Record
    /// The contents that the host lacks, in the order in which they are sent.
    package var contents: [Content]
    package var steps: [Step]
    /// Whether the host keeps no record, as one that nothing was ever deployed to.
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

    /// The name of the checkouts that this deploy makes.
    package var version: Version { Version(record.commit) }
}

/// The content of one or more files, by its blob's id.
package struct Content: Hashable, Sendable {
    package var id: ObjectID
    /// In bytes.
    package var size: UInt64

    package init(id: ObjectID, size: UInt64) {
        self.id = id
        self.size = size
    }

    /// Whether it is sent only once the host has said that it is locked (1 MiB and more): a host that turns the deploy
    /// down would get it for nothing, and one may have a part of it already.
    package var isLarge: Bool { size >= 1 << 20 }
}
