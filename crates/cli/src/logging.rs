//! The log, on standard error, only where it was asked for.
//!
//! Must never write where results go.
//! Tests: `crates/cli/tests/arguments.rs`.

use tracing_subscriber::EnvFilter;

/// What is logged with `--verbose` alone.
const VERBOSE: &str = "info,flowdeck=debug,flowdeck_server=debug,flowdeck_engine=debug,flowdeck_connections=debug";

/// Sets the log up; nothing without `--verbose` or `FLOWDECK_LOG`.
pub(crate) fn start(verbose: bool) {
    let asked = std::env::var("FLOWDECK_LOG").ok().filter(|f| !f.is_empty());
    let filter = match (asked, verbose) {
        (Some(filter), _) => filter,
        (None, true) => VERBOSE.to_owned(),
        (None, false) => return,
    };
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new(VERBOSE));
    // Fails only where a log is set up already, and then that one is used.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init().ok();
}
