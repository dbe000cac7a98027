//! The HTTP API of a runtime, on the local socket and on TCP; the OAuth callback; a client of the same protocol.
//!
//! Must never hold a rule: it translates between HTTP and the runtime.
//! Tests: `tests/`.
#![warn(missing_docs)]

mod api;
mod callback;
pub mod client;
mod edge;
mod holder;
mod pages;
mod people;
mod problem;
mod serve;
pub mod session;
mod socket;
pub mod wire;

pub use api::{Api, BODY_BYTES_MAX};
pub use edge::{Listening, NotListening};
pub use people::{RULES, Rule, Site, SiteError, guarded};
