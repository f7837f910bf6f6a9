import CSystem
import Deployment
import Display
import Git
import Model
import Planning

/// A plan and its sources.
struct PreparedPlan {
    let workspace: Workspace
    var plan: Plan
    /// The root tree of the commit.
    let root: ObjectID
    /// Whether to plan again if the hosts turn out to run something else.
    var canBeRemade = true
    /// Edited files of the hosts, to show the differences.
    var contents: [ObjectID: HostContent] = [:]

    /// `root` is the tree that was planned.
    init(workspace: Workspace, plan: Plan, root: ObjectID, contents: [ObjectID: HostContent] = [:]) throws {
        self.workspace = workspace
        self.plan = plan
        self.root = try workspace.complaining { try ClusterReader(workspace.store).root(of: plan, in: root) }
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
        } catch let problem as PlanFile.Problem {
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
        let temporary = "\(path).\(csys_getpid())"
        let descriptor = csys_create_new(temporary, 0o600)
        guard descriptor >= 0 else { throw CommandError("cannot create \(temporary): \(String(cString: csys_strerror(-descriptor)))") }
        let isWritten = file.bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = csys_write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard count > 0 else { return false }
                rest = rest.dropFirst(Int(count))
            }
            return true
        }
        csys_close(descriptor)
        guard isWritten, csys_rename(temporary, path) == 0 else {
            _ = csys_unlink(temporary)
            throw CommandError("cannot write \(name)", "Is the disk full, or is it a directory?")
        }
    }
}

extension PlanFile {
    /// The file that `deptool plan --out` wrote; nil if there is no file at the path.
    static func file(at path: String?) throws -> PlanFile? {
        guard let path, let bytes = try contents(of: absolute(path, in: workingDirectory())) else { return nil }
        do throws(Problem) { return try PlanFile(reading: bytes) } catch { throw CommandError(error, path: path) }
    }

    /// The content of a regular file; nil if there is none.
    private static func contents(of path: String) throws -> [UInt8]? {
        var status = csys_stat()
        guard csys_lstat(path, &status) == 0, status.kind == csys_kind_regular else { return nil }
        guard status.size <= UInt64(PlanFile.limit) * 2 else { throw CommandError(PlanFile.Problem.tooLarge, path: path) }
        let descriptor = csys_open_read(path)
        guard descriptor >= 0 else { throw CommandError("cannot open \(path): \(String(cString: csys_strerror(-descriptor)))") }
        defer { csys_close(descriptor) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.size))
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = csys_read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw CommandError("cannot read \(path): \(String(cString: csys_strerror(Int32(-count))))") }
            if count == 0 { return bytes }
            bytes += piece[..<Int(count)]
            guard bytes.count <= PlanFile.limit * 2 else { throw CommandError(PlanFile.Problem.tooLarge, path: path) }
        }
    }
}

extension CommandError {
    init(_ problem: PlanFile.Problem, path: String) {
        let again = "Make a new plan with `deptool plan --out`."
        switch problem {
        case .notAPlan: self.init("\(path) is a file, but not a plan", "Name a cluster's directory, or what `deptool plan --out` wrote.")
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
                "If this store does not know yet what runs there, run `deptool sync`. Else somebody deployed to it since. \(again)")
        case .treeMoved(let host):
            self.init(
                "the config tree has something else for \(host.text) than \(path)",
                "It changed since the plan was made, or is another revision. Bring it to that revision, or: \(again)")
        case .otherPlan(let host):
            self.init(
                "\(path) has other steps for \(host.text) than this deptool would take", "Another version of deptool made it. \(again)")
        }
    }
}
