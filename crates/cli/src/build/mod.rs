//! The builder's core: which cards there are, where one goes, what fills its fields. The dialogue is in `commands`.
//!
//! Must never read, write or ask anything, but `save`, which replaces one file.
//! Tests: beside each module; `crates/cli/tests/builder.rs`.

pub(crate) mod complete;
pub(crate) mod control;
pub(crate) mod entry;
pub(crate) mod known;
pub(crate) mod need;
pub(crate) mod picker;
pub(crate) mod places;
pub(crate) mod rank;
pub(crate) mod save;
pub(crate) mod value;
