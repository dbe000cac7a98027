//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod actions;
mod documents;
mod emulate;
mod events;
mod exports;
mod harness;
mod polls;
mod requests;
