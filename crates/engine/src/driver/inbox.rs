//! Messages to runs: durable before they are acknowledged, taken in the commit that holds what they did.
//!
//! Must never lose a message, nor take one twice.
//! Tests: `tests/driver/waits.rs`.

use std::sync::Arc;

use flowdeck_model::{CardId, Fields, RunId, StepPath, Value};
use serde::{Deserialize, Serialize};

use super::api::{EngineError, Settlement};
use super::inner::Inner;
use super::live::Live;
use super::seal::MESSAGE;
use crate::machine::event::{EventKind, StepEvent};
use crate::machine::program::Program;
use crate::machine::state::{Phase, RunState, Step, Waiting};
use crate::ports::{Delta, Scan, Space};
use crate::wire::record::RunView;
use crate::wire::{self, keys};

/// Messages taken at once.
const BATCH: usize = 64;

/// A message to a run, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    Signal { name: String, payload: Value },
    Decide { path: Option<StepPath>, approved: bool, by: String, comment: String },
    Cancel,
    Resume,
    Retry { from: Option<CardId> },
    Happened { path: StepPath, outputs: Fields },
    DidNot { path: StepPath },
    GiveUp { path: StepPath },
}

impl Inner {
    /// Puts a message into a run's inbox and sees to it that somebody reads it.
    pub(super) async fn send(self: &Arc<Self>, run: RunId, message: &Message) -> Result<(), EngineError> {
        self.whole(self.send_whole(run, message)).await
    }

    async fn send_whole(self: &Arc<Self>, run: RunId, message: &Message) -> Result<(), EngineError> {
        let mut delta = Delta::new(self.parts.store.epoch());
        let key = keys::inbox(run, self.parts.clock.now(), self.number());
        let message = self.seal(run, MESSAGE, &wire::encode("message", message)?);
        delta.put(Space::Inbox, key, message);
        delta.put(Space::Ready, keys::run(run), Vec::new());
        self.parts.store.commit(delta).await?;
        self.nudge(run);
        Ok(())
    }
}

impl Inner {
    /// Whether a failed run can go on from this card.
    pub(super) async fn can_retry_from(&self, view: &RunView, card: &CardId) -> Result<bool, EngineError> {
        let Some((state, ..)) = self.state(view.id).await? else { return Ok(false) };
        let program = self.program(view.hash, view.entry.as_ref(), None).await?;
        Ok(place_to_retry(&state, &program, card).is_some())
    }
}

/// Frame and place of a card at or before the failure, in the list that failed or one around it.
fn place_to_retry(state: &RunState, program: &Program, card: &CardId) -> Option<(u32, u32)> {
    let Phase::Failed { frame, .. } = state.phase else { return None };
    let mut at = Some(frame);
    while let Some((id, f)) = at.and_then(|id| Some((id, state.frames.get(&id)?))) {
        let place = program.blocks.get(f.block as usize).and_then(|b| b.index.get(card).copied());
        if let Some(place) = place.and_then(|p| u32::try_from(p).ok())
            && place <= f.at
        {
            return Some((id, place));
        }
        at = f.parent;
    }
    None
}

impl Live {
    /// Takes what came meanwhile.
    pub(super) async fn read_inbox(&mut self) -> Result<(), EngineError> {
        loop {
            let mut scan = Scan::prefix(Space::Inbox, keys::run(self.view.id), BATCH + self.inbox_done.len());
            scan.keys_only = false;
            let batch = self.inner.parts.store.scan(scan).await?;
            let fresh: Vec<_> = batch.into_iter().filter(|(key, _)| !self.inbox_done.contains(key)).collect();
            if fresh.is_empty() {
                return Ok(());
            }
            for (key, bytes) in fresh {
                let bytes = self.inner.open(self.view.id, MESSAGE, bytes)?;
                let message: Message = wire::decode("message", &bytes)?;
                // The sender has put a ready mark, whatever we remember.
                self.stored.ready = true;
                self.dirty = true;
                self.inbox_done.insert(key);
                self.take_message(message);
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        let event = match message {
            Message::Signal { name, payload } => Some(EventKind::Signal { name, payload }),
            Message::Cancel => Some(EventKind::Cancel),
            Message::Resume => Some(EventKind::Resume),
            Message::Retry { from: None } => Some(EventKind::Retry { from: None }),
            Message::Retry { from: Some(card) } => {
                let from = place_to_retry(&self.state, &self.program, &card);
                from.map(|from| EventKind::Retry { from: Some(from) })
            }
            Message::Decide { path, approved, by, comment } => {
                let frame = self.deciding(path.as_ref());
                frame.map(|frame| EventKind::Step { frame, what: StepEvent::Decided { approved, by, comment } })
            }
            Message::Happened { path, outputs } => self.settling(&path, Settlement::Happened(outputs)),
            Message::DidNot { path } => self.settling(&path, Settlement::DidNot),
            Message::GiveUp { path } => self.settling(&path, Settlement::GiveUp),
        };
        if let Some(event) = event {
            self.feed(event);
        }
    }

    fn deciding(&self, path: Option<&StepPath>) -> Option<u32> {
        let asks = |step: &Step| matches!(step, Step::Waiting(Waiting::Approval { .. } | Waiting::Limit { .. }));
        let fits = |id: u32| path.is_none_or(|p| self.state.path(&self.program, id) == *p);
        let found = self.state.frames.iter().find(|(id, f)| asks(&f.step) && fits(**id));
        found.map(|(id, _)| *id)
    }

    fn settling(&self, path: &StepPath, settlement: Settlement) -> Option<EventKind> {
        let in_doubt = |step: &Step| matches!(step, Step::InDoubt { .. });
        let fits = |id: u32| self.state.path(&self.program, id) == *path;
        let found = self.state.frames.iter().find(|(id, f)| in_doubt(&f.step) && fits(**id));
        found.map(|(id, _)| EventKind::Step { frame: *id, what: StepEvent::Settled(settlement) })
    }
}
