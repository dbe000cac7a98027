//! Fakes of everything around the engine: a clock that tests move, a store that dies on command, cards that follow a
//! script, an authorizer whose connections come and go.
//!
//! Must never be used outside tests: nothing depends on it but `dev-dependencies`.
//! Tests: `crates/engine/tests` use every fake.

pub mod authorizer;
pub mod cards;
pub mod clock;
mod missing;
pub mod store;
pub mod world;

pub use authorizer::FakeAuthorizer;
pub use cards::{FakeCards, Performed};
pub use clock::FakeClock;
pub use missing::did_not_run;
pub use store::{FakeStore, Fault as StoreFault};
pub use world::{FakeVault, World};
