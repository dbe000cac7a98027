//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod arguments;
mod broken;
mod builder;
mod builder_accounts;
mod builder_manual;
mod builder_terminal;
mod check;
mod connections;
mod dry;
mod events;
mod exports;
mod exports_cards;
mod exports_written;
mod first_minute;
mod init;
mod interrupt;
mod json;
mod looking;
mod operating;
mod people;
mod playground;
mod prompt_terminal;
mod record;
mod retry;
mod serve;
mod serving_manual;
mod support;
mod tables;
mod tests_of_flows;
