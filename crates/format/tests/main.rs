//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod common;
mod control;
mod diagnostics;
mod edit;
mod fmt;
mod hostile;
mod import;
mod import_cards;
mod import_hostile;
mod import_secrets;
mod import_support;
mod import_unknown;
mod link;
mod round_trip;
mod samples;
mod test_files;
mod upstream;
