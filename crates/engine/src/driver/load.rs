//! Loads a run that nobody drives.
//!
//! Must never load what is not whole.
//! Tests: `tests/crash.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowdeck_model::RunId;

use super::api::EngineError;
use super::inner::{Inner, Slot};
use super::live::{Live, Stored};
use crate::machine::event::EventKind;
use crate::machine::state::{Container, Phase};
use crate::ports::{Scan, Space, WaitKey};
use crate::wire::record::RunView;
use crate::wire::{WireError, keys, state as stored_state};

/// Keys read at once.
const BATCH: usize = 256;

impl Inner {
    pub(super) async fn record(&self, run: RunId) -> Result<Option<RunView>, EngineError> {
        let bytes = self.parts.store.get(Space::Runs, &keys::run(run)).await?;
        Ok(bytes.map(|b| RunView::decode(&b)).transpose()?)
    }

    /// Whether there is anything to go on from.
    pub(super) async fn has_state(&self, run: RunId) -> Result<bool, EngineError> {
        Ok(self.parts.store.get(Space::States, &keys::run(run)).await?.is_some())
    }

    /// The run in memory; `None` where it has ended for good.
    pub(super) async fn load(self: &Arc<Self>, run: RunId, slot: Arc<Slot>) -> Result<Option<Live>, EngineError> {
        let view = self.record(run).await?.ok_or(EngineError::NoRun(run))?;
        let Some(bytes) = self.parts.store.get(Space::States, &keys::run(run)).await? else { return Ok(None) };
        let (values, collected) = self.chunks(run).await?;
        let (mut state, known) = stored_state::decode(&bytes, &values)?;
        for (id, frame) in &mut state.frames {
            if let Some(Container::Loop(l)) = &mut frame.container {
                for number in 0..l.chunks {
                    if let Some(chunk) = collected.get(&(*id, number)) {
                        l.results.extend(stored_state::decode_collected(chunk)?);
                    }
                }
                l.stored = l.results.len();
            }
        }
        let program = self.program(view.hash, view.entry.as_ref(), None).await?;
        let mut stored = Stored {
            ready: self.parts.store.get(Space::Ready, &keys::run(run)).await?.is_some(),
            state: true,
            timer: state.next_due(),
            waits: BTreeSet::new(),
            values: known,
        };
        if state.phase == Phase::Running {
            let holds = state.frames.values().filter_map(|f| f.hold.as_ref());
            stored.waits = holds.map(|h| keys::wait(&WaitKey(h.on.clone()), h.seen, run)).collect();
        }
        let mut live = Live::with(self.clone(), slot, program, view, state, stored);
        match live.state.phase {
            Phase::New => {
                live.feed(EventKind::Begin);
            }
            Phase::Running => {
                live.feed(EventKind::Recovered);
            }
            _ => {}
        }
        Ok(Some(live))
    }

    #[allow(clippy::type_complexity)]
    async fn chunks(&self, run: RunId) -> Result<(BTreeMap<u32, Vec<u8>>, BTreeMap<(u32, u32), Vec<u8>>), EngineError> {
        let mut values = BTreeMap::new();
        let mut collected = BTreeMap::new();
        let mut scan = Scan::prefix(Space::Chunks, keys::run(run), BATCH);
        loop {
            let batch = self.parts.store.scan(scan.clone()).await?;
            let is_last = batch.len() < BATCH;
            scan.after = batch.last().map(|(key, _)| key.clone());
            for (key, value) in batch {
                match keys::chunk_of(&key) {
                    Some(keys::Chunk::Value(number)) => drop(values.insert(number, value)),
                    Some(keys::Chunk::Collected(frame, number)) => drop(collected.insert((frame, number), value)),
                    None => return Err(WireError { what: "chunk", cause: "unknown key".into() }.into()),
                }
            }
            if is_last {
                return Ok((values, collected));
            }
        }
    }
}
