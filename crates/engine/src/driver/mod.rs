//! Drives runs: feeds the machine events, commits, and carries its effects out.
//!
//! Must never decide what a run does next (the machine does), nor act before the commit that allows it.
//! Tests: `crates/engine/tests`.

pub mod api;
pub mod engine;
