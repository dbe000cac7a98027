//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod contract;
mod damage;
mod disk;
mod guards;
mod kills;
mod lock;
mod look;
mod many;
mod power;
mod rebuild;
mod structure;
mod support;
mod sweep;
mod sync;
