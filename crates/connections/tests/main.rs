//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod attempts;
mod canary;
mod closing;
mod connect;
mod fences;
mod hostile;
mod prompts;
mod refresh;
mod repair;
mod support;
mod together;
mod trouble;
