//! Cards against stateful APIs that others wrote: npm `emulate`, pinned in `tests/npm`.
//!
//! Must never leave loopback.
//! Tests: this is the test. `cargo xtask setup` fetches the package; `FLOWDECK_NPM` names its folder.
#![allow(clippy::unwrap_used)]

mod emulator;
mod github;
mod google;
mod microsoft;
mod okta;
mod slack;
