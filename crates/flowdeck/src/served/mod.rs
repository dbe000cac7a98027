//! Flows that start by themselves: published versions, switched on or off.
//!
//! Must never let a version that cannot be run take the place of one that can. Tests: `tests/served.rs`.

mod agenda;
mod arrivals;
mod call;
mod door;
mod folder;
mod record;
mod request;
mod schedules;
mod triggers;

use std::sync::Arc;

use flowdeck_engine::Start;
use flowdeck_model::schedule::Plan;
use flowdeck_model::{Fields, Flow, FlowHash, FlowName, Millis, RunId, Trigger, Value};

pub use self::arrivals::{Arrives, Delivered, DeliveryRefusal, Hook, HookView, MadeHook, PollView};
pub use self::call::{Answered, CallRefusal};
pub use self::door::Door;
pub use self::folder::{FileNews, FlowFolder};
use self::record::Record;
pub use self::request::{EndpointRequest, TOKEN_HEADER, TOKEN_QUERY};
pub(crate) use self::triggers::Triggers;
use crate::error::RuntimeError;
use crate::runtime::Runtime;
use crate::testing::begin::request;

/// Most flows that are published at once.
const SERVED_MAX: usize = 10_000;

/// A published flow.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its version.
    pub flow: Arc<Flow>,
    /// The version's hash.
    pub hash: FlowHash,
    /// Whether its trigger starts runs.
    pub on: bool,
    /// When its schedule starts it next; `None` where it has no schedule, is off, or never comes.
    pub next: Option<Millis>,
    /// The watched file that it comes from, where one did.
    pub file: Option<String>,
    /// How the app's event that starts it gets here; `None` where no event of an app starts it.
    pub arrives: Option<Arrives>,
}

impl Runtime {
    /// Publishes a version of a flow: what its trigger starts from now on. A new name is switched off; a known one keeps
    /// its switch and how far its schedule got. Runs of earlier versions go on with theirs.
    ///
    /// # Errors
    /// [`RuntimeError::Setting`] where its trigger cannot start it; [`RuntimeError::Engine`] where it cannot be run; then
    /// the version before stays.
    pub async fn publish(&self, flow: &Flow) -> Result<Served, RuntimeError> {
        self.publish_as(flow, None).await
    }

    /// As [`Runtime::publish`]; a flow that a watched file brings is switched on when the file takes it over.
    pub(crate) async fn publish_as(&self, flow: &Flow, file: Option<&str>) -> Result<Served, RuntimeError> {
        starts_by_itself(flow)?;
        let known = self.record(&flow.name).await?;
        if known.is_none() && self.count_served().await? >= SERVED_MAX {
            return Err(RuntimeError::Setting(format!("{SERVED_MAX} flows are published already, and no more can be")));
        }
        let hash = self.engine().publish(flow).await?;
        let (now, fresh) = (self.now(), self.fresh_token_of(flow));
        let change = |known: Option<Record>| {
            let mut record = Record { hash, ..known.unwrap_or_else(|| Record::new(hash, now)) };
            if let Some(fresh) = &fresh {
                record.token.get_or_insert_with(|| fresh.clone());
            }
            match file {
                Some(file) if record.file.is_none() => {
                    Some(Record { file: Some(file.to_owned()), ..record.switched(true, now) })
                }
                Some(file) => Some(Record { file: Some(file.to_owned()), ..record }),
                None => Some(record),
            }
        };
        let record = self.change(&flow.name, change).await?;
        self.served_changed(&flow.name);
        self.as_served(record.unwrap_or_else(|| Record::new(hash, now)), Arc::new(flow.clone())).await
    }

    /// Switches a published flow on or off; answers it, or `None` where no flow of that name is published. What its
    /// schedule missed while it was off is not made up for.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn switch(&self, name: &FlowName, on: bool) -> Result<Option<Served>, RuntimeError> {
        let now = self.now();
        let record = self.change(name, |known| known.map(|known| known.switched(on, now))).await?;
        self.served_changed(name);
        self.with_flow(record).await
    }

    /// A flow whose watched file is gone: switched off, and taken over anew when the file comes back.
    pub(crate) async fn let_go(&self, name: &FlowName) -> Result<(), RuntimeError> {
        let now = self.now();
        let off = |known: Record| Record { file: None, ..known.switched(false, now) };
        self.change(name, |known| known.map(off)).await?;
        self.served_changed(name);
        Ok(())
    }

    /// A published flow; `None` where there is none of that name.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn served_flow(&self, name: &FlowName) -> Result<Option<Served>, RuntimeError> {
        let record = self.record(name).await?;
        self.with_flow(record).await
    }

    /// Starts a published flow by hand, on or off; answers its run, or `None` where no flow of that name is published.
    /// The run is durable; the background drives it. Where its trigger would give an event and none is given, it has the
    /// fields of one that says nothing.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] where an input is missing or of a wrong type; [`RuntimeError::Setting`] where an app's
    /// event is missing; [`RuntimeError::Stopping`].
    pub async fn start_served(
        &self,
        name: &FlowName,
        input: Fields,
        event: Option<Fields>,
        key: Option<String>,
    ) -> Result<Option<RunId>, RuntimeError> {
        let Some(served) = self.served_flow(name).await? else { return Ok(None) };
        let event = match (event, &served.flow.on) {
            (Some(event), _) => Some(event),
            (None, Trigger::Manual) => None,
            (None, Trigger::Schedule(_)) => Some(Fields::one("scheduled_at", self.now().to_iso())),
            (None, Trigger::Endpoint(_)) => Some(request(&served.flow, &Value::Null)),
            (None, Trigger::Delegated) => Some(Fields::one("user_id", Value::Null)),
            (None, Trigger::Event(event)) => {
                let what = format!("flow {name} is started by the event {}; give its fields", event.card);
                return Err(RuntimeError::Setting(what));
            }
        };
        let start = Start { event, idempotency_key: key, ..Start::new(served.flow, input) };
        Ok(Some(self.start_run(start).await?))
    }

    /// Published flows by name: at most `limit` (10,000) behind a name.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn served_after(&self, after: Option<&FlowName>, limit: usize) -> Result<Vec<Served>, RuntimeError> {
        let mut found = Vec::new();
        for (_, record) in self.records(after, limit).await? {
            found.extend(self.with_flow(Some(record)).await?);
        }
        Ok(found)
    }

    /// All published flows, by name.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn served(&self) -> Result<Vec<Served>, RuntimeError> {
        self.served_after(None, SERVED_MAX).await
    }

    async fn with_flow(&self, record: Option<Record>) -> Result<Option<Served>, RuntimeError> {
        let Some(record) = record else { return Ok(None) };
        let flow = self.engine().version(record.hash).await?;
        Ok(Some(self.as_served(record, Arc::new(flow)).await?))
    }

    async fn as_served(&self, record: Record, flow: Arc<Flow>) -> Result<Served, RuntimeError> {
        let next = schedules::next(&record, &flow);
        let arrives = self.arrives(&flow, record.on).await?;
        Ok(Served { flow, hash: record.hash, on: record.on, next, file: record.file, arrives })
    }
}

/// Refuses a flow that its own trigger could never start.
fn starts_by_itself(flow: &Flow) -> Result<(), RuntimeError> {
    let refused = |what: String| Err(RuntimeError::Setting(format!("flow {}: {what}", flow.name)));
    let gives = match &flow.on {
        Trigger::Schedule(schedule) => {
            if let Err(fault) = Plan::of(schedule) {
                return refused(fault.to_string());
            }
            "a schedule"
        }
        Trigger::Endpoint(endpoint) if endpoint.access == "oauth" => {
            return refused("`access: oauth` is not served yet; use `token`, or `public`".into());
        }
        Trigger::Endpoint(_) => "an endpoint",
        Trigger::Event(_) => "an app's event",
        Trigger::Manual | Trigger::Delegated => return Ok(()),
    };
    match flow.inputs.iter().find(|field| field.required && field.default.is_none()) {
        Some(field) => {
            let key = &field.key;
            refused(format!(
                "input `{key}` is required: {gives} gives no inputs; give it a default or do not require it"
            ))
        }
        None => Ok(()),
    }
}
