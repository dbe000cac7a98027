//! Apps as data: reads app files, runs their actions, verifies and decodes their events.
//!
//! Must never know the store, or see a credential: it gets an opaque handle.
//! Tests: `tests/harness.rs` over every built-in app file; `tests/` against servers on loopback.

pub mod file;
