//! Durable and in-memory implementations of the store port of `flowdeck-engine`.
//!
//! Must never know what a key or value means, and must never acknowledge what a power cut could undo.
//! Tests: `tests/contract.rs` (the port), `tests/guards.rs`, `tests/damage.rs`, `tests/power.rs`.
#![warn(missing_docs)]

mod limits;
mod memory;

pub use limits::DELTA_BYTES_MAX;
pub use memory::MemoryStore;
