import Model

/// The version of this tool and its agents.
package let toolVersion = "0.1.0"
