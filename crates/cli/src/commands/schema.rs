//! `flowdeck schema`: the JSON Schema of flow files.
//!
//! Must never differ from what `check` accepts.
//! Tests: `crates/format/tests`.

use anyhow::Result;

use crate::End;

pub(crate) fn run() -> Result<End> {
    println!("{}", serde_json::to_string_pretty(&flowdeck::schema())?);
    Ok(End::Fine)
}
