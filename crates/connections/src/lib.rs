//! The connection registry: auth kinds, OAuth 2.0, refresh, sealing at rest, prompts, audit.
//!
//! Must never know flows' inner structure or a web framework, and never let a secret be printed.
//! Tests: beside each module; boundary tests in `tests/`.
#![warn(missing_docs)]

mod api;
mod authorize;
mod aws;
mod classify;
mod connect;
mod credential;
mod errands;
mod error;
mod fields;
mod flights;
mod hosts;
mod lifecycle;
mod manage;
mod preflight;
mod prompts;
mod protocol;
mod random;
mod record;
mod refresh;
mod registry;
mod seal;
mod secret;
mod trouble;
mod vault;
mod waits;

pub use api::*;
pub use error::{ConnectError, FieldError};
pub use random::{OsRandom, Random};
pub use registry::Registry;
pub use seal::{MasterKey, SealError};
pub use secret::SecretText;
pub use vault::KeyVault;
pub use waits::{COUNT_MAX, Waits};
