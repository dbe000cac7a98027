//! flowdeck as a library: wires cards, apps, connections and the store into one runtime.
//!
//! Must never serve, end the process or set up a logger.
//! Tests: beside each module.

mod catalogue;

pub use catalogue::Cards;
pub use flowdeck_apps::{App, AppFileError, Apps};
pub use flowdeck_connections as connections;
pub use flowdeck_engine as engine;
pub use flowdeck_format::{Checked, Diagnostic, Severity, Source, format_text, print, print_json, read, schema};
pub use flowdeck_model as model;
