//! `flowdeck schema`: the JSON Schema of flow files, or of app files.
//!
//! Must never differ from what `check` accepts.
//! Tests: `crates/format/tests`, `crates/apps/tests`, `crates/cli/tests/arguments.rs`.

use anyhow::Result;
use clap::Args;

use crate::end::End;
use crate::out;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck schema > flow.schema.json
  flowdeck schema --app > app.schema.json")]
pub(crate) struct Schema {
    /// The schema of app files instead.
    #[arg(long)]
    app: bool,
}

pub(crate) fn run(schema: &Schema) -> Result<End> {
    out::pretty(&if schema.app { flowdeck::app_schema() } else { flowdeck::schema() });
    Ok(End::Fine)
}
