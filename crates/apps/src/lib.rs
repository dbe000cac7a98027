//! Apps as data: reads app files, runs their actions, decodes their answers.
//!
//! Must never know the store, or see a credential: it gets an opaque handle.
//! Tests: beside each module; `tests/harness.rs` over every built-in app file.

mod answer;
mod builtin;
mod compile;
mod events;
pub mod file;
mod host;
mod lint;
mod made;
mod outputs;
mod pointer;
mod poll;
mod query;
mod ready;
mod render;
mod retry;
mod schema;
mod scope;
mod send;
mod sheet;
mod shown;
mod tables;
mod unanswered;
mod verify;

pub use builtin::Apps;
pub use compile::{App, AppFileError};
pub use events::{Delivery, Occurrence};
pub use host::{AppHost, Preview};
pub use poll::{PollCall, Polled};
pub use schema::app_schema;
pub use shown::{RequestPreview, Shown, is_secret_name, placeholders};
pub use verify::{Incoming, TOLERANCE_S, Unverified};
