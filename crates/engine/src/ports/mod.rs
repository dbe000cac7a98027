//! What the engine needs from the world: a store, a clock, cards, authorization.
//!
//! Declares and re-exports only. A port exists because production and tests differ.
//! Contract tests: `crates/store/tests/contract.rs` for the store.

pub mod store;

pub use store::{Delta, Op, Precondition, Space, Store, StoreError};
