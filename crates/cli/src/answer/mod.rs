//! Answers a connect prompt: asks a person, or takes what options say.
//!
//! Must never keep a secret longer than the request that carries it, nor choose an account by itself.
//! Tests: `menu.rs`, `options.rs`; `crates/cli/tests/first_minute.rs` walks through it.

pub(crate) mod ask;
mod attempt;
mod direct;
mod form;
mod interactive;
mod menu;
pub(crate) mod options;
mod pasted;

pub(crate) use ask::Ask;
pub(crate) use direct::direct;
pub(crate) use interactive::{Outcome, Progress, connected, interactive};
pub(crate) use options::AnswerOptions;
