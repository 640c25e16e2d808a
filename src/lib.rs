//! The node program as a library, so that tests and examples can start a node in process.
