//! The harness of the end-to-end tests: an Okta org made by others, a proxy before it, a browser, and the real binary.
//!
//! Must never reach into flowdeck: it is driven as a program, from outside.
//! Tests: `tests/tests/e2e` (the harness itself: `harness.rs` there) and `tests/tests/kills.rs`.

pub mod acts;
pub mod browser;
pub mod clock;
pub mod deck;
pub mod emulate;
pub mod gate;
pub mod http;
pub mod ledger;
pub mod missing;
pub mod org;
pub mod people;
pub mod port;
pub mod proxy;
pub mod running;
pub mod socket;
pub mod stage;
pub mod suite;
pub mod wait;
pub mod world;
