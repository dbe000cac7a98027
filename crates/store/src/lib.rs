//! Durable and in-memory implementations of the store port of `flowdeck-engine`.
//!
//! Must never know what a key or value means, and must never acknowledge what a power cut could undo.
//! Tests: `tests/contract.rs` runs the port's contract on every implementation.
#![warn(missing_docs)]

mod account;
mod ballast;
mod base;
mod blobs;
mod check;
mod copy;
mod fault;
mod group;
mod io;
mod limits;
mod lock;
mod log;
mod making;
mod memory;
mod open;
mod options;
mod queue;
mod read;
mod rebuild;
mod record;
mod sled_folder;
mod sled_store;
mod suspect;
mod writer;

pub use blobs::Swept;
pub use check::CheckReport;
pub use io::{Io, IoFile, SystemIo};
pub use limits::DELTA_BYTES_MAX;
pub use lock::{FolderLock, try_lock};
pub use memory::MemoryStore;
pub use options::Options;
pub use sled_store::{SledStore, Stats};
