//! What the engine needs from the world: a store, a clock, cards, authorization.
//!
//! Declares and re-exports only. A port exists because production and tests differ.
//! Contract tests: `crates/store/tests/contract.rs` for the store.

pub mod authorizer;
pub mod cards;
pub mod clock;
pub mod store;
pub mod vault;

pub use authorizer::{Authorized, Authorizer, Decision, Hold, Loss, WaitKey};
pub use cards::{CardCall, CardHost, CardOutcome, LookUp};
pub use clock::Clock;
pub use store::{Delta, Op, Precondition, Scan, Space, Store, StoreError};
pub use vault::Vault;
