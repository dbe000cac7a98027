//! What the cards of a flow gave last, out of the history of the data folder.
//!
//! Must never read a history without a limit.
//! Tests: `crates/cli/tests/builder.rs`.

use anyhow::Result;
use flowdeck::Cards;
use flowdeck::engine::EntryKind;
use flowdeck::model::Flow;

use crate::api::{Api, ENTRIES_PAGE};
use crate::build::known::Known;

/// Most runs that are looked at for one with values.
const RUNS_MAX: usize = 5;
/// Most pages of entries that are read.
const PAGES_MAX: usize = 8;

/// The values of the newest run of the flow that has any.
pub(super) async fn known(api: &Api, flow: &Flow, outer: &Flow, cards: &Cards) -> Result<Known> {
    for summary in api.runs(Some(&outer.name), None, None, RUNS_MAX).await?.runs {
        let run = api.run(summary.id).await?;
        let (mut entries, mut after) = (Vec::new(), 0);
        for _ in 0..PAGES_MAX {
            let page = api.entries(run.id, after).await?;
            let is_last = page.len() < ENTRIES_PAGE;
            after = page.last().map_or(after, |entry| entry.seq);
            entries.extend(page);
            if is_last {
                break;
            }
        }
        if entries.iter().any(|e| matches!(e.what, EntryKind::StepFinished { outputs: Some(_), .. })) {
            return Ok(Known::of_run(flow, outer, &run, &entries, cards));
        }
    }
    Ok(Known::default())
}
