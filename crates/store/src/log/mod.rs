//! The commit log: what is acknowledged is here first.
//!
//! Must never be appended to after a failed sync. Tests: in each file, `tests/damage.rs`, `tests/power.rs`.

mod append;
mod frame;
mod kept;
mod read;
mod segment;
mod witness;

pub(crate) use append::Log;
pub(crate) use frame::{Chain, FRAME_HEAD_BYTES, FrameHead, SEGMENT_HEAD_BYTES, SegmentHead, decode_frame};
pub(crate) use kept::Piece;
pub(crate) use read::{Found, LogFault, Reach, base_path, read};
pub(crate) use segment::Segment;
