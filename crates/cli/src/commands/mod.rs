//! One file a command.
//!
//! Declares only.
//! Tests: `crates/cli/tests`.

pub(crate) mod add;
pub(crate) mod apps;
pub(crate) mod cards;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod connections;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod flows;
pub(crate) mod fmt;
pub(crate) mod hooks;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod new;
pub(crate) mod people;
pub(crate) mod playground;
pub(crate) mod prompts;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod tables;
pub(crate) mod test;
pub(crate) mod tokens;
