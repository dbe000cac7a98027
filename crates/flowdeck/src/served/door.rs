//! Flows with an endpoint, as callers meet them: kept in memory, so that a call reads no record.
//!
//! Must never let in whoever does not show the token, nor print one. Tests: below and `tests/endpoints.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_connections::SecretText;
use flowdeck_model::flow::{Card, CardKind, Endpoint};
use flowdeck_model::{Flow, FlowHash, FlowName, Trigger};
use parking_lot::Mutex;

use super::SERVED_MAX;
use super::record::Record;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Who may call.
#[derive(Debug)]
enum Access {
    Public,
    Token(SecretText),
    /// A way that is not served: nobody.
    Nobody,
}

/// A flow that is on and has an endpoint.
#[derive(Debug)]
pub struct Door {
    flow: Arc<Flow>,
    hash: FlowHash,
    access: Access,
    answers_early: bool,
}

impl Door {
    /// The flow behind it.
    #[must_use]
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// The version of the flow.
    #[must_use]
    pub fn hash(&self) -> FlowHash {
        self.hash
    }

    /// What the flow says of its endpoint.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match &self.flow.on {
            Trigger::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// Whether a caller who shows this, or nothing, may come in. Takes the same time for every wrong token.
    #[must_use]
    pub fn admits(&self, token: Option<&SecretText>) -> bool {
        match (&self.access, token) {
            (Access::Public, _) => true,
            (Access::Token(expected), Some(token)) => !expected.is_empty() && expected == token,
            (Access::Token(_), None) | (Access::Nobody, _) => false,
        }
    }

    /// Whether a card answers the caller before the run ends.
    pub(super) fn answers_early(&self) -> bool {
        self.answers_early
    }
}

/// What is known of flows with endpoints.
#[derive(Debug, Default)]
pub(super) struct Doors(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    doors: HashMap<FlowName, Arc<Door>>,
    /// Rises with every change: what was read before one is not kept behind it.
    changes: u64,
}

impl Doors {
    pub(super) fn change(&self, name: &FlowName) {
        let mut known = self.0.lock();
        known.changes += 1;
        known.doors.remove(name);
    }

    fn find(&self, name: &FlowName) -> Result<Arc<Door>, u64> {
        let known = self.0.lock();
        known.doors.get(name).cloned().ok_or(known.changes)
    }

    fn keep(&self, name: &FlowName, door: &Arc<Door>, read_at: u64) {
        let mut known = self.0.lock();
        if known.changes == read_at && known.doors.len() < SERVED_MAX {
            known.doors.insert(name.clone(), door.clone());
        }
    }
}

impl Runtime {
    /// The endpoint of a flow; `None` where no flow of that name is published, it is off, or it has none.
    ///
    /// # Errors
    /// [`RuntimeError::Store`]; [`RuntimeError::Key`] where its token does not open.
    pub async fn door(&self, name: &FlowName) -> Result<Option<Arc<Door>>, RuntimeError> {
        let doors = &self.inner.triggers.doors;
        let read_at = match doors.find(name) {
            Ok(door) => return Ok(Some(door)),
            Err(changes) => changes,
        };
        let Some(record) = self.record(name).await?.filter(|record| record.on) else { return Ok(None) };
        let flow = Arc::new(self.engine().version(record.hash).await?);
        let Trigger::Endpoint(endpoint) = &flow.on else { return Ok(None) };
        let access = match endpoint.access.as_str() {
            "public" => Access::Public,
            "token" => self.token_in(name, &record)?.map_or(Access::Nobody, Access::Token),
            _ => Access::Nobody,
        };
        let answers_early = answers_early(&flow.cards);
        let door = Arc::new(Door { flow, hash: record.hash, access, answers_early });
        doors.keep(name, &door, read_at);
        Ok(Some(door))
    }

    /// The token that callers of a flow's endpoint show; with `renew` a new one, and the one before is worth nothing
    /// any more. `None` where the flow is not published or its endpoint asks for none.
    ///
    /// # Errors
    /// [`RuntimeError::Store`]; [`RuntimeError::Key`] where it does not open.
    pub async fn client_token(&self, name: &FlowName, renew: bool) -> Result<Option<SecretText>, RuntimeError> {
        let Some(served) = self.served_flow(name).await? else { return Ok(None) };
        if !wants_token(&served.flow) {
            return Ok(None);
        }
        if renew {
            let fresh = self.fresh_token_of(&served.flow);
            self.change(name, |known| known.map(|known| Record { token: fresh.clone(), ..known })).await?;
            self.served_changed(name);
        }
        match self.record(name).await? {
            Some(record) => self.token_in(name, &record),
            None => Ok(None),
        }
    }

    /// A new token for a flow whose endpoint asks for one, sealed.
    pub(super) fn fresh_token_of(&self, flow: &Flow) -> Option<Vec<u8>> {
        let keys = &self.inner.wired.keys;
        wants_token(flow).then(|| keys.seal_for(flow.name.as_str(), &keys.fresh_token()))
    }

    fn token_in(&self, name: &FlowName, record: &Record) -> Result<Option<SecretText>, RuntimeError> {
        let open = |sealed: &Vec<u8>| self.inner.wired.keys.open_for(name.as_str(), sealed);
        Ok(record.token.as_ref().map(open).transpose()?)
    }
}

fn wants_token(flow: &Flow) -> bool {
    matches!(&flow.on, Trigger::Endpoint(endpoint) if endpoint.access == "token")
}

fn answers_early(cards: &[Card]) -> bool {
    cards.iter().any(|card| {
        matches!(card.kind, CardKind::ReturnRaw { go_on: true, .. }) || card.kind.lanes().into_iter().any(answers_early)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(access: Access) -> Door {
        let flow = flowdeck_format::read(&flowdeck_format::Source::new("f.flow.yaml", "flow: f\ncards: []\n"), None);
        let flow = Arc::new(flow.flows.into_iter().next().unwrap());
        Door { flow, hash: FlowHash::of(b"f"), access, answers_early: false }
    }

    #[test]
    fn a_door_opens_for_its_token_only() {
        let (right, wrong) = (SecretText::new("right"), SecretText::new("wrong"));
        let guarded = door(Access::Token(right.clone()));
        assert!(guarded.admits(Some(&right)));
        assert!(!guarded.admits(Some(&wrong)) && !guarded.admits(None) && !guarded.admits(Some(&SecretText::new(""))));
        assert!(!door(Access::Token(SecretText::new(""))).admits(Some(&SecretText::new(""))));
        assert!(door(Access::Public).admits(None) && !door(Access::Nobody).admits(Some(&right)));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_behind_it() {
        let (doors, name) = (Doors::default(), FlowName::new("f").unwrap());
        let read_at = doors.find(&name).unwrap_err();
        doors.change(&name);
        doors.keep(&name, &Arc::new(door(Access::Public)), read_at);
        assert!(doors.find(&name).is_err());
    }
}
