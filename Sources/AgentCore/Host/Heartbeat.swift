import CSystem
import Model
import Wire

/// Receives a signal while long work continues, so that a waiting client can be informed.
protocol Heartbeat: AnyObject {
    func beat()
}
