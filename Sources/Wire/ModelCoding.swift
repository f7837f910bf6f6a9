import Model

extension ObjectID: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.id(self) }
    package init(from reader: inout ByteReader) throws(WireError) { self = try reader.id() }
}

extension AppName: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.text(text) }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let name = AppName(try reader.text()) else { throw .badValue }
        self = name
    }
}

extension GroupName: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.text(text) }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let name = GroupName(try reader.text()) else { throw .badValue }
        self = name
    }
}

extension UserName: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.text(text) }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let name = UserName(try reader.text()) else { throw .badValue }
        self = name
    }
}

extension FileAccess: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.number(UInt64(mode))
        writer.optional(owner)
        writer.optional(group)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let mode = UInt32(try reader.count(limit: 0o7777))
        let owner = try reader.optional(UserName.self)
        self.init(mode: mode, owner: owner, group: try reader.optional(GroupName.self))
    }
}

extension PlacedFile: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        path.encode(to: &writer)
        app.encode(to: &writer)
        source.encode(to: &writer)
        access.encode(to: &writer)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let path = try AbsolutePath(from: &reader)
        let app = try AppName(from: &reader)
        let source = try RelativePath(from: &reader)
        self.init(path: path, app: app, source: source, access: try FileAccess(from: &reader))
    }
}

extension UnitName: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.text(text) }

    package init(from reader: inout ByteReader) throws(WireError) {
        guard let name = UnitName(try reader.text()) else { throw .badValue }
        self = name
    }
}

extension RelativePath: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.text(text) }

    package init(from reader: inout ByteReader) throws(WireError) {
        let text = try reader.text()
        do { self = try RelativePath(text) } catch { throw .badValue }
    }
}

extension AbsolutePath: WireCodable {
    package func encode(to writer: inout ByteWriter) { writer.text(text) }

    package init(from reader: inout ByteReader) throws(WireError) {
        let text = try reader.text()
        do { self = try AbsolutePath(text) } catch { throw .badValue }
    }
}

extension FileEntry: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        path.encode(to: &writer)
        writer.byte(isExecutable ? 1 : 0)
        writer.id(id)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let path = try RelativePath(from: &reader)
        let isExecutable = try reader.bool()
        self.init(path: path, isExecutable: isExecutable, id: try reader.id())
    }
}

extension Link: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        path.encode(to: &writer)
        app.encode(to: &writer)
        source.encode(to: &writer)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let path = try AbsolutePath(from: &reader)
        let app = try AppName(from: &reader)
        self.init(path: path, app: app, source: try RelativePath(from: &reader))
    }
}

extension DeployedApp: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        name.encode(to: &writer)
        writer.list(files)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let name = try AppName(from: &reader)
        self.init(name: name, files: try reader.list(of: FileEntry.self))
    }
}

extension DeployedUnit: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        app.encode(to: &writer)
        name.encode(to: &writer)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let app = try AppName(from: &reader)
        self.init(app: app, name: try UnitName(from: &reader))
    }
}

extension RecordedObject: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        switch kind {
        case .blob: writer.byte(0)
        case .tree: writer.byte(1)
        case .commit: writer.byte(2)
        }
        writer.blob(bytes)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let kind: ObjectKind =
            switch try reader.byte() {
            case 0: .blob
            case 1: .tree
            case 2: .commit
            default: throw .unknownCase
            }
        self.init(kind: kind, bytes: try reader.blob())
    }
}

extension Record: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        writer.id(commit)
        writer.text(author)
        writer.signed(time)
        writer.list(objects)
        writer.list(apps)
        writer.list(links)
        writer.list(units)
        writer.list(placed)
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        try self.init(withoutPlaced: &reader)
        placed = try reader.list(of: PlacedFile.self)
    }

    /// Reads the format of records without placed files.
    package init(withoutPlaced reader: inout ByteReader) throws(WireError) {
        let commit = try reader.id()
        let author = try reader.text()
        let time = try reader.signed()
        let objects = try reader.list(of: RecordedObject.self)
        let apps = try reader.list(of: DeployedApp.self)
        let links = try reader.list(of: Link.self)
        self.init(
            commit: commit, author: author, time: time, objects: objects, apps: apps, links: links,
            units: try reader.list(of: DeployedUnit.self))
    }
}

extension Step.Reason: WireCodable {
    package func encode(to writer: inout ByteWriter) {
        path.encode(to: &writer)
        writer.number(UInt64(others))
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let path = try RelativePath(from: &reader)
        self.init(path: path, others: try reader.count(limit: Int(Int32.max)))
    }
}

extension Step: WireCodable {
    /// In the order of their bytes, from 0.
    private enum Tag: UInt8 {
        case checkout, activate, remove, link, unlink, sysusers, tmpfiles, disable, daemonReload, enable, enableRefreshed, start, restart,
            check, confirmLogin, confirmEveryHost, checkoutForRoot, grant, displace, place, placeUpdated, unplace, test, reloadOrStart,
            reload, stop, validate, probe, restartIfUp, confirmProgram, unseal
    }

    package func encode(to writer: inout ByteWriter) {
        writer.optional(app)
        switch action {
        case .checkout(for: .everybody): writer.byte(Tag.checkout.rawValue)
        case .checkout(for: .root): writer.byte(Tag.checkoutForRoot.rawValue)
        case .activate: writer.byte(Tag.activate.rawValue)
        case .remove: writer.byte(Tag.remove.rawValue)
        case .link(let path, let source):
            writer.byte(Tag.link.rawValue)
            path.encode(to: &writer)
            source.encode(to: &writer)
        case .unlink(let path):
            writer.byte(Tag.unlink.rawValue)
            path.encode(to: &writer)
        case .sysusers: writer.byte(Tag.sysusers.rawValue)
        case .tmpfiles: writer.byte(Tag.tmpfiles.rawValue)
        case .disable(let unit, let limit), .stop(let unit, let limit):
            if case .stop = action { writer.byte(Tag.stop.rawValue) } else { writer.byte(Tag.disable.rawValue) }
            unit.encode(to: &writer)
            writer.duration(limit)
        case .daemonReload: writer.byte(Tag.daemonReload.rawValue)
        case .enable(let unit, .new):
            writer.byte(Tag.enable.rawValue)
            unit.encode(to: &writer)
        case .enable(let unit, .refreshed):
            writer.byte(Tag.enableRefreshed.rawValue)
            unit.encode(to: &writer)
        case .start(let unit, let ifUp, let limit):
            writer.byte(Tag.start.rawValue)
            unit.encode(to: &writer)
            writer.byte(ifUp == .restart ? 1 : 0)
            writer.duration(limit)
        case .restart(let unit, let because, let limit), .restartIfUp(let unit, let because, let limit),
            .reload(let unit, let because, _, let limit):
            switch action {
            case .reload(_, _, .start, _): writer.byte(Tag.reloadOrStart.rawValue)
            case .reload: writer.byte(Tag.reload.rawValue)
            case .restartIfUp: writer.byte(Tag.restartIfUp.rawValue)
            default: writer.byte(Tag.restart.rawValue)
            }
            unit.encode(to: &writer)
            because.encode(to: &writer)
            writer.duration(limit)
        case .check(let unit, let settle, let limit):
            writer.byte(Tag.check.rawValue)
            unit.encode(to: &writer)
            writer.byte(settle == nil ? 0 : 1)
            if let settle { writer.duration(settle) }
            writer.duration(limit)
        case .confirm(let limit, .login(let touched)):
            writer.byte(Tag.confirmLogin.rawValue)
            writer.duration(limit)
            writer.byte(touched == nil ? 0 : 1)
            if let touched { writer.text(touched) }
        case .confirm(let limit, .everyHost):
            writer.byte(Tag.confirmEveryHost.rawValue)
            writer.duration(limit)
        case .confirm(let limit, .program):
            writer.byte(Tag.confirmProgram.rawValue)
            writer.duration(limit)
        case .test(let test):
            writer.byte(Tag.test.rawValue)
            writer.byte(test.rawValue)
        case .grant(let group):
            writer.byte(Tag.grant.rawValue)
            group.encode(to: &writer)
        case .displace(let path, let foreign):
            writer.byte(Tag.displace.rawValue)
            path.encode(to: &writer)
            foreign.encode(to: &writer)
        case .place(let path, let source, let access, let placement):
            writer.byte((placement == .new ? Tag.place : .placeUpdated).rawValue)
            path.encode(to: &writer)
            source.encode(to: &writer)
            access.encode(to: &writer)
        case .unplace(let path):
            writer.byte(Tag.unplace.rawValue)
            path.encode(to: &writer)
        case .validate(let arguments, let limit):
            writer.byte(Tag.validate.rawValue)
            writer.texts(arguments)
            writer.duration(limit)
        case .unseal(let count):
            writer.byte(Tag.unseal.rawValue)
            writer.number(UInt64(count))
        case .probe(let probe):
            writer.byte(Tag.probe.rawValue)
            probe.encode(to: &writer)
        }
    }

    package init(from reader: inout ByteReader) throws(WireError) {
        let app = try reader.optional(AppName.self)
        let action: Action
        guard let tag = Tag(rawValue: try reader.byte()) else { throw .unknownCase }
        switch tag {
        case .checkout: action = .checkout(for: .everybody)
        case .activate: action = .activate
        case .remove: action = .remove
        case .link:
            let path = try AbsolutePath(from: &reader)
            action = .link(path: path, source: try RelativePath(from: &reader))
        case .unlink: action = .unlink(path: try AbsolutePath(from: &reader))
        case .sysusers: action = .sysusers
        case .tmpfiles: action = .tmpfiles
        case .disable, .stop:
            let unit = try UnitName(from: &reader)
            let limit = try reader.duration()
            action = tag == .disable ? .disable(unit, within: limit) : .stop(unit, within: limit)
        case .daemonReload: action = .daemonReload
        case .enable: action = .enable(try UnitName(from: &reader), .new)
        case .enableRefreshed: action = .enable(try UnitName(from: &reader), .refreshed)
        case .start:
            let unit = try UnitName(from: &reader)
            let ifUp: IfUp = try reader.bool() ? .restart : .leave
            action = .start(unit, ifUp: ifUp, within: try reader.duration())
        case .restart, .reloadOrStart, .reload, .restartIfUp:
            let unit = try UnitName(from: &reader)
            let reason = try Reason(from: &reader)
            let limit = try reader.duration()
            switch tag {
            case .restart: action = .restart(unit, because: reason, within: limit)
            case .restartIfUp: action = .restartIfUp(unit, because: reason, within: limit)
            default: action = .reload(unit, because: reason, ifDown: tag == .reloadOrStart ? .start : .leave, within: limit)
            }
        case .check:
            let unit = try UnitName(from: &reader)
            let settle = try reader.bool() ? try reader.duration() : nil
            action = .check(unit, settle: settle, within: try reader.duration())
        case .confirmLogin:
            let limit = try reader.duration()
            action = .confirm(within: limit, because: .login(touched: try reader.bool() ? try reader.text() : nil))
        case .confirmEveryHost, .confirmProgram:
            action = .confirm(within: try reader.duration(), because: tag == .confirmEveryHost ? .everyHost : .program)
        case .checkoutForRoot: action = .checkout(for: .root)
        case .grant: action = .grant(try GroupName(from: &reader))
        case .displace:
            let path = try AbsolutePath(from: &reader)
            action = .displace(path: path, try Drift.Found(from: &reader))
        case .place, .placeUpdated:
            let path = try AbsolutePath(from: &reader)
            let source = try RelativePath(from: &reader)
            action = .place(path: path, source: source, try FileAccess(from: &reader), tag == .place ? .new : .updated)
        case .unplace: action = .unplace(path: try AbsolutePath(from: &reader))
        case .test:
            guard let test = Test(rawValue: try reader.byte()) else { throw .unknownCase }
            action = .test(test)
        case .validate:
            let arguments = try reader.texts()
            guard !arguments.isEmpty else { throw .badValue }
            action = .validate(arguments, within: try reader.duration())
        case .unseal: action = .unseal(files: try reader.count(limit: Int(Int32.max)))
        case .probe: action = .probe(try Probe(from: &reader))
        }
        self.init(app, action)
    }
}

extension Duration {
    /// Rounded down; zero if negative.
    package var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        return seconds < 0 ? 0 : UInt64(seconds) * 1000 + UInt64(max(0, attoseconds) / 1_000_000_000_000_000)
    }
}

extension ByteWriter {
    /// In milliseconds.
    package mutating func duration(_ duration: Duration) { number(duration.wholeMilliseconds) }
}

extension ByteReader {
    /// At most a day.
    package mutating func duration() throws(WireError) -> Duration {
        .milliseconds(try count(limit: 24 * 3600 * 1000))
    }

    package mutating func bool() throws(WireError) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw .unknownCase
        }
    }
}
