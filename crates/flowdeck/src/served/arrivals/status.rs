//! What is stored of asking apps: where each flow's last answer ended, and how the last question went.
//!
//! Must never take a cursor of another account, another event, or of before the flow was switched on.
//! Tests: `tests/polls.rs`.

use flowdeck_engine::EngineError;
use flowdeck_engine::ports::{Authorized, Delta, Space};
use flowdeck_engine::wire;
use flowdeck_model::{CardName, ConnectionId, FlowName, Millis, PromptId, Value};
use serde::{Deserialize, Serialize};

use super::listeners::Listener;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Where the last answer ended. Fields are only ever added, with defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cursor {
    card: CardName,
    inputs: Value,
    since: Millis,
    #[serde(default)]
    subject: Option<String>,
    pub(super) cursor: Value,
    /// It only reads to where the app's log ends; nothing starts before.
    #[serde(default)]
    pub(super) quiet: bool,
}

impl Cursor {
    pub(super) fn new(listener: &Listener, authorized: Option<&Authorized>, cursor: Value) -> Self {
        Self {
            card: listener.card.clone(),
            inputs: listener.inputs.to_value(),
            since: listener.since,
            subject: authorized.and_then(|authorized| authorized.subject.clone()),
            quiet: cursor.is_null(),
            cursor,
        }
    }

    /// Whether it is of this flow as it is now, and of this account.
    pub(super) fn fits(&self, listener: &Listener, authorized: Option<&Authorized>) -> bool {
        let asked = Self::new(listener, authorized, Value::Null);
        (&asked.card, &asked.inputs, asked.since, &asked.subject)
            == (&self.card, &self.inputs, self.since, &self.subject)
    }
}

/// How the last question went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PollStatus {
    /// When the app is asked next.
    pub(super) next: Millis,
    /// When it answered last.
    #[serde(default)]
    pub(super) answered: Option<Millis>,
    /// What went wrong since.
    #[serde(default)]
    pub(super) error: Option<String>,
    /// How often in a row.
    #[serde(default)]
    pub(super) failures: u32,
    /// The prompt that asks for the connection.
    #[serde(default)]
    pub(super) waits: Option<PromptId>,
}

fn cursor_key(flow: &FlowName, connection: Option<ConnectionId>) -> Vec<u8> {
    let connection = connection.map(|id| id.to_string()).unwrap_or_default();
    format!("cursor/{flow}/{connection}").into_bytes()
}

fn status_key(flow: &FlowName) -> Vec<u8> {
    format!("status/{flow}").into_bytes()
}

impl Runtime {
    /// The cursor of a flow on a connection.
    pub(super) async fn cursor(
        &self,
        flow: &FlowName,
        connection: Option<ConnectionId>,
    ) -> Result<Option<Cursor>, RuntimeError> {
        let found = self.engine().store().get(Space::Cursors, &cursor_key(flow, connection)).await?;
        Ok(found.map(|bytes| wire::decode("poll cursor", &bytes)).transpose().map_err(EngineError::from)?)
    }

    /// The app does not know the cursor any more.
    pub(super) async fn forget_cursor(
        &self,
        flow: &FlowName,
        connection: Option<ConnectionId>,
    ) -> Result<(), RuntimeError> {
        let store = self.engine().store();
        let mut delta = Delta::new(store.epoch());
        delta.delete(Space::Cursors, cursor_key(flow, connection));
        Ok(store.commit(delta).await?)
    }

    /// How the last question of a flow went.
    pub(super) async fn poll_status(&self, flow: &FlowName) -> Result<Option<PollStatus>, RuntimeError> {
        let found = self.engine().store().get(Space::Cursors, &status_key(flow)).await?;
        Ok(found.map(|bytes| wire::decode("poll status", &bytes)).transpose().map_err(EngineError::from)?)
    }

    pub(super) async fn put_poll_status(&self, flow: &FlowName, status: &PollStatus) -> Result<(), RuntimeError> {
        let store = self.engine().store();
        let bytes = wire::encode("poll status", status).map_err(EngineError::from)?;
        let mut delta = Delta::new(store.epoch());
        delta.put(Space::Cursors, status_key(flow), bytes);
        Ok(store.commit(delta).await?)
    }
}

/// Adds a cursor to a commit.
pub(super) fn put_cursor(
    delta: &mut Delta,
    flow: &FlowName,
    connection: Option<ConnectionId>,
    cursor: &Cursor,
) -> Result<(), RuntimeError> {
    let bytes = wire::encode("poll cursor", cursor).map_err(EngineError::from)?;
    delta.put(Space::Cursors, cursor_key(flow, connection), bytes);
    Ok(())
}
