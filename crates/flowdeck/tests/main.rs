//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod apps;
mod clocks;
mod embedding;
mod example;
mod exports;
mod folders;
mod hooks;
mod hostile;
mod open;
mod people;
mod poison;
mod polls;
mod prompts;
mod recording;
mod rehearsal;
mod runtime;
mod served;
mod support;
