//! The one way out: every outgoing connection of flowdeck is opened here, guarded, bounded and recorded.
//!
//! Must never know flows, runs or what a credential means; must never follow, resolve or connect unchecked.
//! Pure rules are tested beside the code; whole requests against scripted and hostile servers in `tests/`.
#![warn(missing_docs)]

pub mod address;
mod allow;
mod client;
mod error;
mod headers;
mod observe;
mod outgoing;
mod policy;
mod redirect;
mod request;
mod send;
mod target;

pub use allow::{AllowedHosts, AllowedTarget, InvalidAllowedTarget};
pub use client::Egress;
pub use error::{EgressError, Refusal, Sent};
pub use observe::{Exchange, Observer};
pub use outgoing::{Credential, Outgoing};
pub use policy::{Dial, Limits, Policy, Resolve, SystemResolver};
pub use request::{Redirects, Request, Response};
pub use target::parse_url;
