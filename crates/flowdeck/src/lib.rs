//! flowdeck as a library: wires cards, apps, connections and the store into one runtime.
//!
//! Must never serve, end the process or set up a logger.
//! Tests: beside each module, `tests/`, and the examples of the documentation.
#![warn(missing_docs)]

mod builder;
mod catalogue;
mod clock;
mod error;
mod events;
mod folder;
mod host;
mod manage;
pub mod people;
mod prompts;
mod rehearsal;
mod runtime;
mod served;
mod starter;
pub mod testing;
mod work;

pub use builder::RuntimeBuilder;
pub use catalogue::Cards;
pub use clock::SystemClock;
pub use error::RuntimeError;
pub use events::{Events, RuntimeEvent};
pub use flowdeck_apps::{App, AppFileError, Apps, RequestPreview, app_schema, is_secret_name};
pub use flowdeck_connections as connections;
pub use flowdeck_connections::MasterKey;
pub use flowdeck_egress as egress;
pub use flowdeck_engine as engine;
pub use flowdeck_engine::{
    Entry, EntryKind, Limits, Notice, NoticeKind, RunFilter, RunPage, RunSummary, RunView, Settlement, Start, Status,
};
pub use flowdeck_format as format;
pub use flowdeck_format::{
    Checked, Diagnostic, Load, Severity, Source, alone, format_text, print, print_json, read, read_with, schema,
};
pub use flowdeck_functions as functions;
pub use flowdeck_model as model;
pub use flowdeck_store as store;
pub use folder::DataFolder;
pub use prompts::{AttemptAnswer, PromptAnswer, PromptHandler};
pub use rehearsal::{
    Asked, Decided, DryRun, Offline, Passed, Rehearsal, RehearsalOptions, RehearsedCall, StandIn, as_hoped,
};
pub use runtime::Runtime;
pub use served::{
    Answered, CallRefusal, Door, EndpointRequest, FileNews, FlowFolder, Served, TOKEN_HEADER, TOKEN_QUERY,
};
pub use starter::AppStarter;
