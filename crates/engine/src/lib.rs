//! Runs flows: a pure machine that decides and a driver that commits and acts.
//!
//! Must never know HTTP, sled, OAuth, an app's name or an environment variable.
//! Tests: `tests/` beside each module; the store contract lives in `flowdeck-store`.

pub mod ports;
