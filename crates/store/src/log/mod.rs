//! The commit log: what is acknowledged is here first.
//!
//! Must never be appended to after a failed sync. Tests: in each file, `tests/damage.rs`, `tests/power.rs`.

mod append;
mod frame;
mod read;
mod witness;

pub(crate) use append::Log;
pub(crate) use frame::{Chain, FRAME_HEAD_BYTES};
pub(crate) use read::{Found, read, segment_path};
