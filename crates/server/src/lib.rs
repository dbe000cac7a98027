//! The HTTP API of a runtime, on the local socket and on TCP; the OAuth callback; a client of the same protocol.
//!
//! Must never hold a rule: it translates between HTTP and the runtime.
//! Tests: `tests/`.
#![warn(missing_docs)]

pub mod client;
pub mod session;
pub mod wire;
