// swift-tools-version: 6.2
import PackageDescription

// Two ways to build this package, from the same sources:
// - as ordinary Swift: the command line tool, and everything under test;
// - with DEPTOOL_EMBEDDED set: only the agent, as Embedded Swift (see Scripts/build-agents).
let embedded = Context.environment["DEPTOOL_EMBEDDED"] != nil

// The folder whose agents the tool carries; unset, it carries none.
let agents = Context.environment["DEPTOOL_AGENTS"]

/// Sources that run on a host too: they may use only features of Embedded Swift.
let embeddable: [SwiftSetting] =
    embedded
    ? [.enableExperimentalFeature("Embedded")]
    : [.treatWarning("EmbeddedRestrictions", as: .error)]

let core: [Target] = [
    .target(name: "CSystem", cSettings: embedded ? [.define("DEPTOOL_EMBEDDED")] : []),
    .target(name: "CSHA1"),
    .target(name: "Model", dependencies: ["CSHA1"], swiftSettings: embeddable + [.strictMemorySafety()]),
    .target(name: "Wire", dependencies: ["Model"], swiftSettings: embeddable + [.strictMemorySafety()]),
    .target(name: "Age", dependencies: ["CSystem", "Model"], swiftSettings: embeddable + [.strictMemorySafety()]),
    .target(
        name: "CBearSSL", cSettings: embedded ? [.define("DEPTOOL_EMBEDDED")] : [], linkerSettings: [.linkedLibrary("bearssl")]),
    .target(
        name: "AgentCore", dependencies: ["Age", "CBearSSL", "CSystem", "Model", "Wire"],
        swiftSettings: embeddable + [.strictMemorySafety()]),
    .executableTarget(name: "deptool-agent", dependencies: ["AgentCore"], swiftSettings: embeddable),
]

/// An agent with injected faults, at any of its operations; for other CPUs, as Embedded Swift.
let agentUnderTest: [Target] = [
    .executableTarget(
        name: "agent-under-test", dependencies: ["AgentCore", "CSystem", "Model", "Wire"], path: "Tests/AgentUnderTest",
        swiftSettings: embeddable)
]

let client: [Target] = [
    .target(name: "Platform", dependencies: ["CSystem"], swiftSettings: [.strictMemorySafety()]),
    .systemLibrary(
        name: "CGit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"]), .brew(["libgit2"])]),
    .systemLibrary(
        name: "CSSH2", pkgConfig: "libssh2", providers: [.apt(["libssh2-1-dev"]), .brew(["libssh2"])]),
    .systemLibrary(
        name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl"])]),
    .target(
        name: "CAgents",
        cSettings: agents.map {
            [.define("AGENTS_DIRECTORY", to: "\"\($0)\""), .unsafeFlags(["-I", $0])]
        } ?? []),
    .target(name: "Git", dependencies: ["CGit2", "CSystem", "Model", "Platform"], swiftSettings: [.strictMemorySafety()]),
    .target(
        name: "SSH", dependencies: ["CSSH2", "CSystem", "Model", "Platform"], swiftSettings: [.strictMemorySafety()]),
    .target(
        name: "Sealing", dependencies: ["Age", "CCrypto", "CSystem", "Model", "Platform", "SSH"], swiftSettings: [.strictMemorySafety()]),
    .target(name: "Planning", dependencies: ["Model"], swiftSettings: [.strictMemorySafety()]),
    .target(
        name: "Deployment", dependencies: ["Age", "CAgents", "CSystem", "Git", "Model", "Planning", "Platform", "SSH", "Sealing", "Wire"],
        swiftSettings: [.strictMemorySafety()]),
    .target(name: "Display", dependencies: ["Deployment", "Git", "Model", "Planning", "SSH"], swiftSettings: [.strictMemorySafety()]),
    .executableTarget(
        name: "deptool",
        dependencies: [
            "Age", "CSystem", "Deployment", "Display", "Git", "Model", "Planning", "Platform", "SSH", "Sealing",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: [.strictMemorySafety()]),
]

#if os(Linux)
// Real hosts are containers of this machine.
let endToEnd: [Target] = [
    .testTarget(name: "EndToEndTests", dependencies: ["CSystem", "Model", "TestSupport", "Wire", "agent-under-test"]),
    // Feeds the parsers with damaged input, in a process of its own.
    .executableTarget(
        name: "fuzz",
        dependencies: [
            "Age", "AgentCore", "CSystem", "Deployment", "Display", "Git", "Model", "Planning", "SSH", "Sealing", "TestSupport", "Wire",
        ],
        path: "Tests/Fuzz"),
    // Preloaded, it lets a program's clock be wrong.
    .target(name: "WrongClock", path: "Tests/WrongClock"),
    // Preloaded, it lets threads and the program end late.
    .target(name: "SlowEnd", path: "Tests/SlowEnd"),
    .testTarget(name: "FuzzTests", dependencies: ["TestSupport", "fuzz"], exclude: ["Kept"]),
]
let endToEndProducts: [Product] = [
    .library(name: "wrong-clock", type: .dynamic, targets: ["WrongClock"]),
    .library(name: "slow-end", type: .dynamic, targets: ["SlowEnd"]),
]
#else
let endToEnd: [Target] = []
let endToEndProducts: [Product] = []
#endif

let tests: [Target] = [
    .target(name: "TestSupport", dependencies: ["Model", "Planning", "Wire"], path: "Tests/TestSupport"),
    // Ends what has a deinit in every way; optimized too.
    .executableTarget(name: "ends", dependencies: ["Age", "CSystem", "Platform", "Sealing"], path: "Tests/Ends"),
    .testTarget(name: "PlatformTests", dependencies: ["Platform", "ends"]),
    .testTarget(name: "ModelTests", dependencies: ["CSHA1", "Model", "TestSupport"]),
    .testTarget(name: "AgeTests", dependencies: ["Age", "Model", "Sealing", "TestSupport"], exclude: ["Vectors"]),
    .testTarget(name: "SealingTests", dependencies: ["Age", "CSystem", "SSH", "Sealing", "TestSupport", "ends"]),
    .testTarget(name: "WireTests", dependencies: ["Model", "TestSupport", "Wire"]),
    .testTarget(
        name: "AgentCoreTests",
        dependencies: ["Age", "AgentCore", "CSystem", "Model", "Sealing", "TestSupport", "Wire", "agent-under-test"], exclude: ["Formats"]),
    .testTarget(name: "SSHTests", dependencies: ["SSH"]),
    .testTarget(name: "GitTests", dependencies: ["Git", "Model", "Platform", "TestSupport"]),
    .testTarget(name: "PlanningTests", dependencies: ["Model", "Planning", "TestSupport"]),
    .testTarget(
        name: "DeploymentTests",
        dependencies: ["CAgents", "CSystem", "Deployment", "Git", "Model", "Planning", "SSH", "TestSupport", "Wire"]),
    .testTarget(
        name: "DisplayTests",
        dependencies: ["Deployment", "Display", "Git", "Model", "Planning", "SSH", "TestSupport", "Wire"],
        exclude: ["Captures"]),
]

let package = Package(
    name: "deptool",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "deptool-agent", targets: ["deptool-agent"])
    ] + (embedded ? [] : [.executable(name: "deptool", targets: ["deptool"])] + endToEndProducts),
    dependencies: embedded
        ? []
        : [
            .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
        ],
    targets: core + agentUnderTest + (embedded ? [] : client + tests + endToEnd),
    swiftLanguageModes: [.v6])
