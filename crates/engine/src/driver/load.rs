//! Loads a run that nobody drives.
//!
//! Must never load what is not whole.
//! Tests: `tests/crash.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::RunId;

use super::api::EngineError;
use super::commit::wait_keys;
use super::inner::{Inner, Slot};
use super::live::{Live, Stored};
use super::seal;
use crate::machine::event::EventKind;
use crate::machine::state::{Container, Phase, RunState};
use crate::ports::{Scan, Space};
use crate::wire::record::RunView;
use crate::wire::state::StoredValues;
use crate::wire::{WireError, keys, state as stored_state};

/// Chunks of collected outputs by frame and number.
pub(super) type Collected = BTreeMap<(u32, u32), Vec<u8>>;

/// Keys read at once.
const BATCH: usize = 256;

impl Inner {
    /// A run's record, with what this process knows of it.
    pub(super) async fn record(&self, run: RunId) -> Result<Option<RunView>, EngineError> {
        let view = self.stored_record(run).await?;
        Ok(view.map(|view| RunView { set_aside: self.aside(run), ..view }))
    }

    pub(super) async fn stored_record(&self, run: RunId) -> Result<Option<RunView>, EngineError> {
        Ok(self.whole_record(run).await?.map(|(view, _)| view))
    }

    /// The record, and whether what started the run is stored apart from it.
    async fn whole_record(&self, run: RunId) -> Result<Option<(RunView, bool)>, EngineError> {
        let Some(bytes) = self.parts.store.get(Space::Runs, &keys::run(run)).await? else { return Ok(None) };
        let mut view = RunView::decode(&self.open(run, seal::RECORD, bytes)?)?;
        let apart = self.put_back_given(&mut view).await?;
        Ok(Some((view, apart)))
    }

    /// Whether there is anything to go on from.
    pub(super) async fn has_state(&self, run: RunId) -> Result<bool, EngineError> {
        Ok(self.parts.store.get(Space::States, &keys::run(run)).await?.is_some())
    }

    /// The run in memory; `None` where it has ended for good.
    pub(super) async fn load(self: &Arc<Self>, run: RunId, slot: Arc<Slot>) -> Result<Option<Live>, EngineError> {
        let (view, apart) = self.whole_record(run).await?.ok_or(EngineError::NoRun(run))?;
        let Some((mut state, known, collected)) = self.state(run).await? else { return Ok(None) };
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
        let stored = Stored {
            ready: self.parts.store.get(Space::Ready, &keys::run(run)).await?.is_some(),
            state: true,
            timer: None,
            waits: wait_keys(run, &state),
            values: known,
            given_apart: Some(apart),
        };
        let mut live = Live::with(self.clone(), slot, program, view, state, stored);
        live.stored.timer = live.timer();
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

    /// The stored state, which large values are stored beside it, and the chunks of collected outputs.
    pub(super) async fn state(&self, run: RunId) -> Result<Option<(RunState, StoredValues, Collected)>, EngineError> {
        let Some(bytes) = self.parts.store.get(Space::States, &keys::run(run)).await? else { return Ok(None) };
        let bytes = self.open(run, seal::STATE, bytes)?;
        let (values, collected) = self.chunks(run).await?;
        let (state, known) = stored_state::decode(&bytes, &values)?;
        Ok(Some((state, known, collected)))
    }

    async fn chunks(&self, run: RunId) -> Result<(BTreeMap<u32, Vec<u8>>, Collected), EngineError> {
        let mut values = BTreeMap::new();
        let mut collected = BTreeMap::new();
        let mut scan = Scan::prefix(Space::Chunks, keys::run(run), BATCH);
        loop {
            let batch = self.parts.store.scan(scan.clone()).await?;
            let is_last = batch.len() < BATCH;
            scan.after = batch.last().map(|(key, _)| key.clone());
            for (key, value) in batch {
                match keys::chunk_of(&key) {
                    Some(keys::Chunk::Value(number)) => {
                        values.insert(number, self.open_as(run, &seal::value(number), "value", value)?);
                    }
                    Some(keys::Chunk::Collected(frame, number)) => {
                        let name = seal::collected(frame, number);
                        collected.insert((frame, number), self.open_as(run, &name, "collected outputs", value)?);
                    }
                    Some(keys::Chunk::Given) => {}
                    None => return Err(WireError { what: "chunk", cause: "unknown key".into() }.into()),
                }
            }
            if is_last {
                return Ok((values, collected));
            }
        }
    }
}
