import Model

/// The version of this tool and of the agents that belong to it.
package let toolVersion = "0.1.0"
