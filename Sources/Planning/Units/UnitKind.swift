import Model

/// Kinds of units that may exist but cannot be enabled and started by name.
package enum UnitKind: Hashable, Sendable {
    /// `work@.service`. Even with `DefaultInstance=`, which `systemctl enable` honours, only an instance can start.
    case template
    /// An instance of a type whose names encode a path or place, and so has no templates (systemd.mount(5),
    /// systemd.slice(5)).
    case instance(type: String)
    /// The root directory's mount and the root slice.
    case root
    case device, scope

    init?(unstartable name: String) {
        if name.hasSuffix(".device") {
            self = .device
            return
        }
        if name.hasSuffix(".scope") {
            self = .scope
            return
        }
        if ["-.mount", "-.slice"].contains(name) {
            self = .root
            return
        }
        guard let unit = UnitName(name), unit.template.contains("@") else { return nil }
        if let type = [".mount", ".automount", ".swap", ".slice"].first(where: name.hasSuffix) {
            self = .instance(type: String(type.dropFirst()))
        } else if unit.template == name {
            self = .template
        } else {
            return nil
        }
    }

    func phrase(_ name: String) -> String {
        switch self {
        case .template:
            "'\(name)' is a template, which cannot run; list an instance of it, such as '"
                + name.replacing("@.", with: "@1.", maxReplacements: 1) + "'"
        case .instance(let type): "'\(name)' cannot exist: a unit of the type '\(type)' is never made from a template"
        case .root: "'\(name)' is always there, and cannot be enabled; take it out of the list"
        case .device: "'\(name)' comes and goes with the device, and cannot be enabled; list a unit that binds to it"
        case .scope: "'\(name)' is made by a program for its processes, and cannot be enabled; list a service instead"
        }
    }
}

extension UnitName {
    /// Whether systemd can start a unit of this name.
    package var canRestart: Bool { UnitKind(unstartable: text) == nil && !text.contains("*") }
}
