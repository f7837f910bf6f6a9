import Testing

/// The real tool against real hosts: systemd, sshd and all, booted by `Lab/lab`. One test at a time, since each takes the
/// machine's time seriously.
@Suite(.serialized, .enabled(if: Tools.hasLab, Tools.whyNoLab), .timeLimit(.minutes(Torture.isWhole ? 240 : 60)))
enum EndToEnd {}
