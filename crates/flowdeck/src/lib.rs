//! flowdeck as a library: wires cards, apps, connections and the store into one runtime.
//!
//! Must never serve, end the process or set up a logger.
//! Tests: beside each module, `tests/`, and the examples of the documentation.
//!
//! Check a flow file, and show what is wrong with it:
//!
//! ```
//! use flowdeck::{Cards, Source, read};
//!
//! let cards = Cards::with_files(&indexmap::IndexMap::new(), &[])?;
//! let source = Source::new("hello.flow.yaml", "flow: hello\ncards:\n  - card: date/nwo\n");
//! let checked = read(&source, Some(&cards));
//! assert!(checked.has_errors());
//! for diagnostic in &checked.diagnostics {
//!     eprintln!("{}", diagnostic.render(&source, false));
//! }
//! assert_eq!(checked.diagnostics[0].remedy.as_deref(), Some("did you mean `date/now`?"));
//! # Ok::<(), flowdeck::RuntimeError>(())
//! ```
//!
//! Run one, without a data folder:
//!
//! ```
//! # async fn example() -> Result<(), flowdeck::RuntimeError> {
//! use flowdeck::model::Fields;
//! use flowdeck::{Runtime, Source, Start};
//!
//! let runtime = Runtime::builder().memory().open().await?;
//! let text = "flow: hello\ninputs: { name: text }\ncards:\n  - return: { text: \"Hello ${input.name}\" }\n";
//! let flow = runtime.flow(&Source::new("hello.flow.yaml", text), None)?;
//! let run = runtime.run(Start::new(flow, Fields::one("name", "Ada"))).await?;
//! assert_eq!(run.output.unwrap().get("text"), "Hello Ada");
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! `docs/embedding.md` tells more; its example is compiled with these.
#![warn(missing_docs)]

/// The page for embedders: its example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
mod embedding_page {}

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
pub use flowdeck_apps::{App, AppFileError, Apps, RequestPreview, Unverified, app_schema, is_secret_name};
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
    Answered, Arrives, CallRefusal, Delivered, DeliveryRefusal, Door, EndpointRequest, FileNews, FlowFolder, Hook,
    HookView, MadeHook, PollView, Served, TOKEN_HEADER, TOKEN_QUERY,
};
pub use starter::AppStarter;
