//! One file a command.
//!
//! Declares only.
//! Tests: `crates/cli/tests`.

pub(crate) mod apps;
pub(crate) mod check;
pub(crate) mod fmt;
pub(crate) mod schema;
