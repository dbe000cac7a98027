//! The flowdeck playground: a small staff directory behind a real OAuth 2.0 server, on loopback.
//!
//! Must never listen or call beyond this machine. What it offers, exactly: `README.md` of this crate.
//! Tests: `tests/walk/` goes through every flow over HTTP.

#![warn(missing_docs)]

mod accounts;
mod api;
mod app;
mod delivery;
mod directory;
mod faults;
mod grants;
mod guard;
mod keeper;
mod limits;
mod loopback;
mod oauth;
mod options;
mod pages;
mod running;
mod scopes;
mod secret;
mod state;
mod steer;

pub use accounts::Account;
pub use faults::{ApiFault, ApiFaultKind, AutoConsent, Counts, Faults, TokenFault, TokenFaultKind};
pub use grants::RevokeKind;
pub use options::{Clock, Lifetimes, Options, RateLimit, Seed};
pub use running::{Playground, Running, StartError};
pub use scopes::{Scope, Scopes};
pub use steer::{Controls, ControlsError};
