//! Runs flows: a pure machine that decides and a driver that commits and acts.
//!
//! Must never know HTTP, sled, OAuth, an app's name or an environment variable.
//! Tests: `tests/` beside each module; the store contract lives in `flowdeck-store`.

pub mod driver;
pub mod machine;
pub mod ports;
pub mod tables;
pub mod wire;

pub use driver::api::{EngineError, Limits, Notice, NoticeKind, Parts, RunFilter, RunPage, Settlement, Start};
pub use driver::engine::Engine;
pub use wire::entry::{Entry, EntryKind, Intent, WaitReason};
pub use wire::record::{Counts, RawAnswer, RunSummary, RunView, Status, WaitView};
