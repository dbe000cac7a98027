//! The words of flowdeck as plain data: ids, values, fields, flows, cards, faults, connections.
//!
//! Must never know files, network, a clock, async, storage, HTTP or any app's name.
//! Tests: beside each module.
//!
//! What a host passes in and gets out are [`Fields`] of JSON [`Value`]s:
//!
//! ```
//! use flowdeck_model::Fields;
//! use serde_json::json;
//!
//! let mut inputs = Fields::from_value(json!({ "days": 90 }));
//! inputs.set("people", json!(["Ada", "Bo"]));
//! assert_eq!(inputs.get("days"), &json!(90));
//! assert_eq!(inputs.to_value(), json!({ "days": 90, "people": ["Ada", "Bo"] }));
//! ```

#![warn(missing_docs)]

pub mod app;
pub mod card;
pub mod compare;
pub mod connect;
pub mod date;
pub mod duration;
mod event_card;
pub mod export;
pub mod fault;
pub mod field;
pub mod fields;
pub mod flow;
pub mod ids;
mod lanes;
pub mod mapping;
pub mod names;
pub mod path;
pub mod schedule;
pub mod table;
pub mod time;

pub use card::{Ambient, CardDecl, CardRole, Catalogue, EffectClass, InDoubt};
pub use fault::{Fault, FaultCode};
pub use field::{FieldDecl, FieldType};
pub use fields::Fields;
pub use flow::{Card, CardKind, Flow, Lane, Trigger};
pub use ids::{AttemptId, ConnectionId, FlowHash, PromptId, RunId};
pub use mapping::Mapping;
pub use names::{AppName, CardId, CardName, FlowName, Nickname, SlotName, TableName};
pub use path::StepPath;
pub use serde_json::Value;
pub use time::Millis;
