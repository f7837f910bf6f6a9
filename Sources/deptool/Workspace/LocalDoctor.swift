import Deployment
import Display
import Git
import Model
import SSH

/// Checks this machine's requirements for a deploy.
enum LocalDoctor {
    /// Findings about the store and the cluster, and the cluster's requirements on its hosts.
    static func workspace() -> ([Diagnosis], [Hostname: Doctor.Wanted]) {
        do {
            let store = try Workspace.storeOnly()
            var findings = [store.health, author(store)]
            let (finding, wanted) = cluster(store)
            findings.append(finding)
            return (findings, wanted)
        } catch {
            return ([Diagnosis("store", .fail, error.phrase, help: error.explanation)], [:])
        }
    }

    private static func cluster(_ store: Store) -> (Diagnosis, [Hostname: Doctor.Wanted]) {
        guard let workspace = try? Workspace(directory: nil) else {
            return (Diagnosis("cluster", .warn, "no default cluster", help: "Make one the default with `deptool init prod`."), [:])
        }
        guard workspace.isThere else {
            let help = "Name the cluster's directory once, as in `deptool plan prod`, or make it."
            return (Diagnosis("cluster", .fail, "there is no directory \(visible(workspace.directory))", help: help), [:])
        }
        do {
            let wanted = try workspace.reporting { try ClusterReader(store).wanted(in: try workspace.importTree()) }
            return (
                Diagnosis("cluster", .ok, "\(visible(workspace.directory)), \(wanted.count) host\(wanted.count == 1 ? "" : "s")"), wanted
            )
        } catch {
            let known = error as? CommandError
            return (Diagnosis("cluster", .fail, known?.phrase ?? "\(error)", help: known?.explanation), [:])
        }
    }

    private static func author(_ store: Store) -> Diagnosis {
        let author = store.author()
        if let problem = store.configurationProblem {
            return Diagnosis(
                "git author", .warn, "\(visible(author.text)), since \(visible(problem))",
                help: "Others see it in logs and locks. Repair that file.")
        }
        guard store.hasConfiguredAuthor else {
            return Diagnosis(
                "git author", .warn, "\(visible(author.text)), made up from the login",
                help: "Others see it in logs and locks. Set your name with `git config --global user.name` and `user.email`.")
        }
        return Diagnosis("git author", .ok, visible(author.text))
    }

    /// ssh, its keys, and the bundled agents.
    static func tools(configuration: String?) -> [Diagnosis] {
        let cpus = Doctor.carriedCPUs
        let agents =
            cpus.isEmpty
            ? .noAgents
            : Diagnosis("agents", .ok, "\(toolVersion) for Linux on \(listed(cpus))")
        do {
            return try LocalSSH(configuration: configuration).findings + [agents]
        } catch {
            return [Diagnosis("ssh", .fail, error.phrase, help: error.explanation(host: "localhost")), agents]
        }
    }
}

extension Diagnosis {
    static var noAgents: Diagnosis {
        Diagnosis(
            "agents", .fail, HostError.noAgents.phrase,
            help: "It was built by a plain `swift build`. `make build` makes one that contains them.")
    }
}

extension Store {
    /// Checks that the deployed commits are in the store.
    fileprivate var health: Diagnosis {
        do {
            let deployed = try deployedCommits()
            for (_, commit) in deployed { _ = try commitInfo(commit) }
            return Diagnosis("store", .ok, "\(visible(path)), \(deployed.count) host\(deployed.count == 1 ? "" : "s") deployed")
        } catch {
            return Diagnosis("store", .fail, error.phrase, help: error.explanation)
        }
    }
}

extension LocalSSH {
    fileprivate var findings: [Diagnosis] {
        var findings = [
            Diagnosis("ssh", .ok, "its configuration is understood"),
            Diagnosis("libssh2", .ok, libraryVersion + (signsRSAWell ? "" : ", which leaves RSA keys in files to the system's ssh")),
        ]
        let agentKeys = keysOfAgent.map { "\($0) key\($0 == 1 ? "" : "s") in ssh-agent" } ?? "no ssh-agent"
        let files = identityFiles.isEmpty ? "no identity files" : identityFiles.map(visible).joined(separator: ", ")
        let hasKey = keysOfAgent ?? 0 > 0 || !identityFiles.isEmpty
        findings.append(
            Diagnosis(
                "keys", hasKey ? .ok : .warn, "\(agentKeys); \(files)",
                help: hasKey
                    ? nil : "Make a key with `ssh-keygen`, unless your hosts take passwords or your configuration names keys for them."))
        if let problem = knownHostsProblem {
            findings.append(Diagnosis("known_hosts", .fail, problem.phrase, help: problem.explanation(host: "localhost")))
        } else {
            findings.append(
                Diagnosis("known_hosts", .ok, knownHostsFiles.isEmpty ? "none yet" : knownHostsFiles.map(visible).joined(separator: ", ")))
        }
        return findings
    }
}
