//! Decides what a run does next: a pure, total function over declared state and event pairs.
//!
//! Pure: no clock, no I/O, no randomness, no `async`.
//! Tests: `tests/driver/pairs.rs`.

mod attempts;
pub mod coerce;
mod context;
mod ends;
mod enter;
pub mod event;
mod limit;
mod loops;
pub mod program;
pub mod ranges;
mod scope;
pub mod secrets;
pub mod state;
mod step;
mod waits;

pub use step::step;
