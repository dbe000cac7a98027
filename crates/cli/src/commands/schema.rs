//! `flowdeck schema`: the JSON Schema of flow files.
//!
//! Must never differ from what `check` accepts.
//! Tests: `crates/format/tests`, `crates/cli/tests/check.rs`.

use anyhow::Result;

use crate::end::End;
use crate::out;

pub(crate) fn run() -> Result<End> {
    out::pretty(&flowdeck::schema());
    Ok(End::Fine)
}
