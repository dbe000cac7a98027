//! Decides what a run does next: a pure, total function over declared state and event pairs.
//!
//! Pure: no clock, no I/O, no randomness, no `async`.
//! Tests: `machine/tests`.

pub mod program;
