//! A delivery: verified, read, taken whole.
//!
//! Must never read what is not verified, nor answer before all runs are durable. Tests: `tests/hooks.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_apps::file::Verification;
use flowdeck_apps::{Delivery, Incoming, Unverified};
use flowdeck_connections::SecretText;
use flowdeck_engine::EngineError;
use flowdeck_model::{AppName, ConnectionId, Fault, FaultCode, FlowHash, RunId, Value};
use indexmap::IndexMap;

use super::hooks::put_delivered;
use super::listeners::Listener;
use super::take::Arrival;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Headers that hold credentials of the sender's own.
const PRIVATE: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// An address that an app pushes to.
#[derive(Debug)]
pub struct Hook {
    pub(super) id: String,
    pub(super) app: AppName,
    pub(super) connection: Option<ConnectionId>,
    pub(super) proof: Verification,
    pub(super) secrets: Vec<SecretText>,
}

/// What a sender is told.
#[derive(Debug)]
pub enum Delivered {
    /// The app asked whether somebody listens.
    Answer(Value),
    /// Everything in it is durable.
    Taken {
        /// Runs that it started.
        runs: Vec<RunId>,
        /// Starts that were made before: it was delivered again, or the app was asked meanwhile.
        again: usize,
    },
}

/// Why a delivery is not taken.
#[derive(Debug)]
pub enum DeliveryRefusal {
    /// The hook has no secret yet.
    NoSecret,
    /// Who sends it is not proved.
    Unverified(Unverified),
    /// It is not JSON.
    NotJson,
    /// It holds more than is taken at once.
    TooMuch(Fault),
    /// The runtime could not.
    Runtime(RuntimeError),
}

impl From<RuntimeError> for DeliveryRefusal {
    fn from(error: RuntimeError) -> Self {
        Self::Runtime(error)
    }
}

impl Hook {
    /// The answer to a GET that asks whether somebody listens here.
    #[must_use]
    pub fn challenge(&self, headers: &BTreeMap<String, String>) -> Option<Value> {
        self.proof.challenge(headers)
    }

    /// Checks what can be checked before the body is read.
    ///
    /// # Errors
    /// [`DeliveryRefusal::NoSecret`], [`DeliveryRefusal::Unverified`].
    pub fn admits(
        &self,
        headers: &BTreeMap<String, String>,
        now: flowdeck_model::Millis,
    ) -> Result<(), DeliveryRefusal> {
        if self.secrets.is_empty() {
            return Err(DeliveryRefusal::NoSecret);
        }
        if self.proof.signs_body() { Ok(()) } else { self.verify(&Incoming { headers, body: &[], now }) }
    }

    fn verify(&self, incoming: &Incoming<'_>) -> Result<(), DeliveryRefusal> {
        if self.secrets.is_empty() {
            return Err(DeliveryRefusal::NoSecret);
        }
        let secrets: Vec<&str> = self.secrets.iter().map(SecretText::expose).collect();
        self.proof.verify(&secrets, incoming).map_err(DeliveryRefusal::Unverified)
    }
}

impl Runtime {
    /// Takes a delivery: every flow that is on and listens for one of its events is started once for each. `headers` by
    /// name in small letters. Needs [`Runtime::start`] for the runs to be driven.
    ///
    /// # Errors
    /// [`DeliveryRefusal`]; the sender should come again where the runtime could not.
    pub async fn deliver(
        &self,
        hook: &Hook,
        mut headers: BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<Delivered, DeliveryRefusal> {
        self.open()?;
        hook.verify(&Incoming { headers: &headers, body, now: self.now() })?;
        let told: Value = serde_json::from_slice(body).map_err(|_| DeliveryRefusal::NotJson)?;
        if let Some(answer) = hook.proof.answer(&told) {
            return Ok(Delivered::Answer(answer));
        }
        let secret = hook.proof.headers();
        headers.retain(|name, _| !PRIVATE.contains(&name.as_str()) && !secret.contains(name));
        let listeners = self.listeners_at(hook).await?;
        let body_hash = FlowHash::of(body);
        let mut arrivals = Vec::new();
        for (listeners, delivery) in self.read_for(listeners, told, headers).await? {
            for (at, event) in delivery.events.into_iter().enumerate() {
                // What the app gives no name is known by where it stood.
                let key = if event.key.is_empty() { format!("{body_hash}/{at}") } else { event.key };
                arrivals.extend(listeners.iter().map(|listener| Arrival {
                    listener: listener.clone(),
                    key: key.clone(),
                    fields: event.fields.clone(),
                }));
            }
        }
        let now = self.now();
        let runs = self.take(&arrivals, false, |delta| put_delivered(delta, &hook.id, now)).await?;
        Ok(Delivered::Taken { again: arrivals.len() - runs.len(), runs })
    }

    /// Flows that what comes to a hook may start.
    async fn listeners_at(&self, hook: &Hook) -> Result<Vec<Arc<Listener>>, RuntimeError> {
        let mut found = Vec::new();
        for listener in self.listeners().await? {
            if listener.card.family() == hook.app.as_str() && self.is_of(&listener, hook.connection).await? {
                found.push(listener);
            }
        }
        Ok(found)
    }

    /// Whether a flow listens with this connection, or with none yet: its run will ask.
    async fn is_of(&self, listener: &Listener, connection: Option<ConnectionId>) -> Result<bool, RuntimeError> {
        let (Some(wanted), Some(need)) = (connection, &listener.need) else { return Ok(true) };
        let lines = self.connections().preflight(std::slice::from_ref(need)).await?;
        let used = lines.into_iter().find_map(|line| line.connection);
        Ok(used.is_none_or(|used| used.id == wanted))
    }

    /// What the delivery means to each event card, read once for all flows that use it alike.
    async fn read_for(
        &self,
        listeners: Vec<Arc<Listener>>,
        told: Value,
        headers: BTreeMap<String, String>,
    ) -> Result<Vec<(Vec<Arc<Listener>>, Delivery)>, DeliveryRefusal> {
        let mut alike: IndexMap<String, Vec<Arc<Listener>>> = IndexMap::new();
        for listener in listeners {
            let key = format!("{} {}", listener.card, listener.inputs.to_value());
            alike.entry(key).or_default().push(listener);
        }
        let apps = self.cards().apps().clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            for listeners in alike.into_values() {
                let Some(first) = listeners.first() else { continue };
                match apps.delivery(&first.card, first.inputs.clone(), &told, &headers) {
                    Ok(delivery) => found.push((listeners, delivery)),
                    Err(fault) if fault.code == FaultCode::LimitReached => return Err(DeliveryRefusal::TooMuch(fault)),
                    // Sending it again would not help, and the other flows have a right to it.
                    Err(fault) => tracing::error!(card = %first.card, %fault, "a delivery could not be read"),
                }
            }
            Ok(found)
        });
        reading.await.unwrap_or_else(|broke| {
            let error = EngineError::Internal(format!("reading a delivery broke: {broke}"));
            Err(RuntimeError::from(error).into())
        })
    }
}
