//! Published flows on the wire: lists, publishing, switching, starting.
//!
//! Must never hold a client token, but in the one answer that was asked for it. Tests: `tests/flows.rs`.

use flowdeck::Served;
use flowdeck::connections::SecretText;
use flowdeck::model::{CardName, FieldDecl, Fields, FlowHash, FlowName, Millis, Trigger, Value};
use serde::{Deserialize, Serialize};

use super::{Arrival, FlowFile};

/// A published flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedFlow {
    /// Its name.
    pub name: FlowName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The hash of its version.
    pub hash: FlowHash,
    /// Whether its trigger starts runs.
    pub on: bool,
    /// What starts it.
    pub starts: Starts,
    /// When its schedule starts it next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Millis>,
    /// The watched file that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Values that a start gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<FieldDecl>,
}

/// What starts a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Starts {
    /// A person or program.
    Hand,
    /// Cron.
    Schedule {
        /// The expression.
        cron: String,
        /// Its time zone.
        timezone: String,
    },
    /// A call of its own URL.
    Endpoint {
        /// The path; where it is served, `serve` says.
        path: String,
        /// The methods that it takes.
        methods: Vec<String>,
        /// `public` or `token`.
        access: String,
    },
    /// An app's event.
    Event {
        /// The event card.
        card: CardName,
        /// How it gets here.
        arrival: Box<Arrival>,
    },
    /// A person with the right to. Nothing offers this yet.
    Delegated,
}

impl From<Served> for ServedFlow {
    fn from(served: Served) -> Self {
        let flow = &served.flow;
        let starts = match &flow.on {
            Trigger::Manual => Starts::Hand,
            Trigger::Schedule(schedule) => {
                Starts::Schedule { cron: schedule.cron.clone(), timezone: schedule.timezone.clone() }
            }
            Trigger::Endpoint(endpoint) => Starts::Endpoint {
                path: format!("/in/{}", flow.name),
                methods: endpoint.methods.clone(),
                access: endpoint.access.clone(),
            },
            Trigger::Event(event) => {
                let nothing = Arrival { is_known: false, pushed: None, hooks: Vec::new(), poll: None };
                let arrival = Box::new(served.arrives.map_or(nothing, Arrival::from));
                Starts::Event { card: event.card.clone(), arrival }
            }
            Trigger::Delegated => Starts::Delegated,
        };
        Self {
            name: flow.name.clone(),
            description: flow.description.clone(),
            hash: served.hash,
            on: served.on,
            starts,
            next: served.next,
            file: served.file,
            inputs: flow.inputs.clone(),
        }
    }
}

/// `GET /v1/flows?cursor=&limit=`: published flows by name. One: `GET /v1/flows/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowList {
    /// The flows.
    pub flows: Vec<ServedFlow>,
    /// `cursor` of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<FlowName>,
}

/// `POST /v1/flows`: publishes a flow; the answer is its [`ServedFlow`]. A new name is switched off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishFlow {
    /// The file; where it holds several flows, one is named.
    pub file: FlowFile,
    /// Switches it on or off at once; otherwise a known flow keeps its switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
}

/// `POST /v1/flows/{name}/switch`; the answer is its [`ServedFlow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchFlow {
    /// On or off.
    pub on: bool,
}

/// `POST /v1/flows/{name}/start`: a run of the published version, on or off; the answer is its `RunView`, durable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StartFlow {
    /// Values of its inputs; texts are converted to the declared types.
    #[serde(default)]
    pub input: Fields,
    /// The event that starts it, where an event card does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Fields>,
    /// A second start with the same key answers the first one's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// `POST /v1/flows/{name}/token`, on the local socket only: the client token of its endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskToken {
    /// Makes a new one; the one before is worth nothing any more.
    #[serde(default)]
    pub renew: bool,
}

/// The answer to [`AskToken`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClientToken {
    /// The token.
    pub token: SecretText,
}

impl ClientToken {
    /// The one place where a token leaves.
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({ "token": self.token.expose() })
    }
}
