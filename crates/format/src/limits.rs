//! The most a flow file may hold, in one place; a file above a limit is refused with the limit's name.
//!
//! Must never be raised without looking at the time that hostile files then take.
//! Tests: `tests/hostile.rs`.

/// Bytes of a file.
pub(crate) const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Nesting of lists and maps.
pub(crate) const DEPTH_MAX: usize = 64;
/// Scalars, lists and maps of a file.
pub(crate) const NODES_MAX: usize = 200_000;
/// Bytes of one text.
pub(crate) const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Keys of one map.
pub(crate) const KEYS_MAX: usize = 10_000;
/// Bytes of one key.
pub(crate) const KEY_BYTES_MAX: usize = 256;
/// Cards of a file, those in lanes and helpers too.
pub(crate) const CARDS_MAX: usize = 20_000;
/// Files of helpers that one file may lead to.
pub(crate) const LINKS_MAX: usize = 100;
/// How deep files of helpers may lead to others.
pub(crate) const LINK_DEPTH_MAX: usize = 8;
/// Diagnostics of a file.
pub(crate) const DIAGNOSTICS_MAX: usize = 100;
/// Iterations of one loop at once.
pub(crate) const CONCURRENCY_MAX: u64 = 200;
