//! `flowdeck playground`: keeps the playground up, so that its pages can be looked at between runs.
//!
//! Must never change anything there.
//! Tests: `crates/cli/tests/playground.rs`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::end::End;
use crate::options::Globals;
use crate::out::{self, style};
use crate::session;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck playground          its address, until Ctrl-C

Its page shows everybody and what happened lately; your account there has API tokens, and what you allowed.
Other flowdeck commands in this folder use the same playground meanwhile.")]
pub(crate) struct Playground {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(playground: &Playground, globals: &Globals) -> Result<End> {
    session::with(globals, async |api| {
        let url = api.session().start_playground().await?;
        match playground.json {
            true => out::json(&json!({ "type": "playground", "url": url })),
            false => out::text(&format!(
                "The playground is at {}\n  {}\nCtrl-C ends it.\n",
                style().key(&url),
                style().dim(&format!("your account there: {url}/account/tokens"))
            )),
        }
        api.session().interrupted().await;
        Ok(End::Interrupted)
    })
    .await
}
