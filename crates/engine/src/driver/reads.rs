//! Reads records and history.
//!
//! Must never change anything.
//! Tests: `tests/driver`.

use flowdeck_model::RunId;

use super::api::{EngineError, RunFilter, RunPage};
use super::inner::Inner;
use super::seal;
use crate::ports::{Scan, Space};
use crate::wire::entry::{Entry, decode_block};
use crate::wire::keys;
use crate::wire::record::RunSummary;

/// Records looked at for one page, so that a rare filter cannot read the whole store at once.
const LOOKED_AT_MAX: usize = 5_000;
/// Most runs of one page.
const PAGE_MAX: usize = 1_000;
const BATCH: usize = 128;

impl Inner {
    pub(super) async fn runs(
        &self,
        filter: &RunFilter,
        cursor: Option<RunId>,
        limit: usize,
    ) -> Result<RunPage, EngineError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut page = RunPage { runs: Vec::new(), next: None };
        let mut scan = Scan::prefix(Space::Runs, Vec::new(), BATCH);
        scan.reverse = true;
        scan.keys_only = true;
        scan.after = cursor.map(keys::run);
        let mut looked_at = 0;
        loop {
            let batch = self.parts.store.scan(scan.clone()).await?;
            let is_last = batch.len() < BATCH;
            scan.after = batch.last().map(|(key, _)| key.clone());
            for (key, _) in batch {
                // One record at a time: each may hold a large answer.
                let Some(run) = keys::run_of(&key) else { continue };
                let Some(bytes) = self.parts.store.get(Space::Runs, &key).await? else { continue };
                let mut summary = RunSummary::decode(&self.open(run, seal::RECORD, bytes)?)?;
                looked_at += 1;
                let fits = filter.flow.as_ref().is_none_or(|f| *f == summary.flow)
                    && (filter.status.is_empty() || filter.status.contains(&summary.status));
                if fits {
                    summary.set_aside = self.aside(run);
                    page.runs.push(summary);
                }
                if page.runs.len() == limit || looked_at == LOOKED_AT_MAX {
                    page.next = keys::run_of(&key);
                    return Ok(page);
                }
            }
            if is_last {
                return Ok(page);
            }
        }
    }

    pub(super) async fn entries(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<Entry>, EngineError> {
        let limit = limit.clamp(1, PAGE_MAX);
        // The block that holds entry `after + 1` begins at or before it.
        let mut back = Scan::prefix(Space::Entries, keys::run(run), 1);
        back.reverse = true;
        back.after = Some(keys::entries(run, after.saturating_add(2)));
        let first = self.parts.store.scan(back).await?.pop();
        let mut entries = Vec::new();
        let mut scan = Scan::prefix(Space::Entries, keys::run(run), BATCH);
        if let Some((key, block)) = first {
            entries.extend(decode_block(&block)?);
            scan.after = Some(key);
        }
        entries.retain(|e| e.seq > after);
        while entries.len() < limit {
            let batch = self.parts.store.scan(scan.clone()).await?;
            let is_last = batch.len() < BATCH;
            scan.after = batch.last().map(|(key, _)| key.clone());
            for (_, block) in batch {
                entries.extend(decode_block(&block)?.into_iter().filter(|e| e.seq > after));
            }
            if is_last {
                break;
            }
        }
        entries.truncate(limit);
        Ok(entries)
    }
}
