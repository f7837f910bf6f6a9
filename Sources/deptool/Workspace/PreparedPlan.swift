import Deployment
import Display
import Git
import Model
import Planning
import Platform

/// A plan and its sources.
struct PreparedPlan {
    let workspace: Workspace
    var plan: Plan
    /// The root tree of the commit.
    let root: ObjectID
    /// Whether to plan again if the hosts run something else.
    var canBeRemade = true
    /// Edited files of the hosts, to show the differences.
    var contents: [ObjectID: HostContent] = [:]
    /// The deploys that this one undoes, by host.
    var undone: [Hostname: Commit] = [:]

    /// `root` is the tree that was planned.
    init(workspace: Workspace, plan: Plan, root: ObjectID, contents: [ObjectID: HostContent] = [:]) throws {
        self.workspace = workspace
        self.plan = plan
        self.root = try workspace.reporting { try ClusterReader(workspace.store).root(of: plan, in: root) }
        self.contents = contents
    }

    /// The plan from a file that `deptool plan --out` wrote; nil if the argument is not a file.
    init?(_ path: String?, _ limit: LimitOption, _ safety: Safety) throws {
        guard let path, let file = try PlanFile.file(at: path) else { return nil }
        let store = try Workspace.storeOnly()
        do {
            guard limit.limit.isEmpty, safety == Safety() else {
                throw CommandError(
                    "`--limit`, `--guard`, `--atomic` and `--no-checks` cannot change the plan \(path)",
                    "Give them to `deptool plan --out`.")
            }
            // The tree need not be here, but if it is, it must match.
            let here = try Workspace.clusters(of: store).first { $0.cluster == file.cluster && $0.isThere }
            workspace = here ?? Workspace(store: store, directory: Workspace.parent(of: store) + "/" + file.cluster)
            plan = try file.plan(store: store, tree: try here?.importTree())
            root = file.root
            canBeRemade = false
        } catch let problem as PlanFile.ReadError {
            throw CommandError(problem, path: path)
        }
    }

    /// Writes the plan to a file that only its owner can read, since it contains the files to deploy.
    func write(to name: String, _ safety: Safety) throws {
        let path = absolute(name, in: workingDirectory())
        let file: PlanFile
        do {
            file = try PlanFile(plan, root: root, cluster: workspace.cluster, safety: safety, store: workspace.store)
        } catch {
            throw CommandError(error, path: name)
        }
        let temporary = "\(path).\(processID)"
        let output = try attempt("cannot create \(temporary)", try FileDescriptor(creating: temporary, mode: 0o600))
        do throws(Errno) {
            try output.writeAll(file.bytes.span)
            try rename(temporary, to: path)
        } catch {
            try? unlink(temporary)
            throw CommandError("cannot write \(name)", "Is the disk full, or is it a directory?")
        }
    }
}

extension PlanFile {
    /// The file that `deptool plan --out` wrote; nil if there is no file at the path.
    static func file(at path: String?) throws -> PlanFile? {
        guard let path, let bytes = try contents(of: absolute(path, in: workingDirectory())) else { return nil }
        do throws(PlanFile.ReadError) { return try PlanFile(reading: bytes) } catch { throw CommandError(error, path: path) }
    }

    /// The content of a regular file; nil if there is none.
    private static func contents(of path: String) throws -> [UInt8]? {
        guard let status = try? status(of: path), status.kind == .regular else { return nil }
        guard status.size <= UInt64(PlanFile.limit) * 2 else { throw CommandError(PlanFile.ReadError.tooLarge, path: path) }
        let file = try attempt("cannot open \(path)", try FileDescriptor(reading: path))
        do throws(Errno) {
            return try file.readAll(limit: PlanFile.limit * 2)
        } catch .fileTooLarge {
            throw CommandError(PlanFile.ReadError.tooLarge, path: path)
        } catch {
            throw CommandError("cannot read \(path)", error)
        }
    }
}

extension CommandError {
    init(_ problem: PlanFile.ReadError, path: String) {
        let again = "Make a new plan with `deptool plan --out`."
        switch problem {
        case .notAPlan:
            self.init("\(path) is a file, but not a plan", "Name a cluster's directory, or a file that `deptool plan --out` wrote.")
        case .malformed(let problem):
            self.init("cannot understand \(path): \(problem.phrase)", "It was damaged, or another version of deptool wrote it. \(again)")
        case .incomplete: self.init("\(path) is incomplete", "It is damaged. \(again)")
        case .tooLarge:
            self.init(
                "\(path) would be too large: a plan file holds at most \(PlanFile.limit >> 20) MiB",
                "Deploy large files without a plan file, or host by host with `--limit`.")
        case .store(let error): self.init(error)
        case .cluster(let error): self.init(error, directory: path)
        case .hostMoved(let host, let base, let deployed):
            self.init(
                "\(path) starts from another state of \(host.text): \(base?.short ?? "nothing"), while \(deployed?.short ?? "nothing") runs there",
                "Run `deptool sync` if the store is behind; otherwise somebody else has deployed to it since. \(again)")
        case .treeMoved(let host):
            self.init(
                "the config tree and \(path) differ for \(host.text)",
                "It changed since the plan was made, or is another revision. Bring it to that revision, or: \(again)")
        case .otherPlan(let host):
            self.init(
                "\(path) has other steps for \(host.text) than this deptool would take", "Another version of deptool made it. \(again)")
        }
    }
}
