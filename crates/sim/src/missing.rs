//! What a test cannot do on this machine.
//!
//! Must never let a test pass silently that did not run.
//! Tests: those that need a folder of exports or a small disk use it.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says what could not run here: to a person, and to the gate, which counts it (`FLOWDECK_NOT_RUN` names its list).
///
/// # Panics
/// Where the list cannot be written.
#[allow(clippy::unwrap_used)]
pub fn did_not_run(what: &str) {
    println!("did not run: {what}");
    if let Some(path) = std::env::var_os("FLOWDECK_NOT_RUN") {
        let mut list = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(list, "{what}").unwrap();
    }
}
