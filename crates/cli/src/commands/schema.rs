//! `flowdeck schema`: the JSON Schema of flow files, app files, or test files.
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
  flowdeck schema --app > app.schema.json
  flowdeck schema --test > test.schema.json")]
pub(crate) struct Schema {
    /// The schema of app files instead.
    #[arg(long, conflicts_with = "test")]
    app: bool,
    /// The schema of test files instead.
    #[arg(long)]
    test: bool,
}

pub(crate) fn run(schema: &Schema) -> Result<End> {
    out::pretty(&match (schema.app, schema.test) {
        (true, _) => flowdeck::app_schema(),
        (_, true) => flowdeck::format::test_file::schema(),
        _ => flowdeck::schema(),
    });
    Ok(End::Fine)
}
