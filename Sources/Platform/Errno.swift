import CSystem

/// Why a system call failed (errno(3)).
package struct Errno: Error, Hashable, Sendable {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    /// The text of strerror(3).
    package var text: String { unsafe csys_strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)" }

    package static var noSuchFileOrDirectory: Errno { Errno(Int32(csys_enoent)) }
    package static var noSuchProcess: Errno { Errno(Int32(csys_esrch)) }
    package static var interrupted: Errno { Errno(Int32(csys_eintr)) }
    package static var ioError: Errno { Errno(Int32(csys_eio)) }
    package static var fileExists: Errno { Errno(Int32(csys_eexist)) }
    package static var improperLink: Errno { Errno(Int32(csys_exdev)) }
    package static var notDirectory: Errno { Errno(Int32(csys_enotdir)) }
    package static var noSpace: Errno { Errno(Int32(csys_enospc)) }
    package static var brokenPipe: Errno { Errno(Int32(csys_epipe)) }
    package static var wouldBlock: Errno { Errno(csys_eagain()) }
    package static var tooManySymbolicLinkLevels: Errno { Errno(csys_eloop()) }
    package static var fileTooLarge: Errno { Errno(csys_efbig()) }
    package static var connectionRefused: Errno { Errno(csys_econnrefused()) }
}

/// The result of a `csys_` function, unless that is a negated errno.
@discardableResult
func check(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw Errno(-result) }
    return result
}

@discardableResult
func check(_ result: Int64) throws(Errno) -> Int {
    guard result >= 0 else { throw Errno(Int32(truncatingIfNeeded: -result)) }
    return Int(result)
}
