//! The log, on standard error, only where it was asked for.
//!
//! Must never write where results go.
//! Tests: `crates/cli/tests/arguments.rs`, `crates/cli/tests/broken.rs`.

use tracing_subscriber::EnvFilter;

/// What is logged with `--verbose` alone.
const VERBOSE: &str = "info,flowdeck=debug,flowdeck_server=debug,flowdeck_engine=debug,flowdeck_connections=debug";

/// The thread that opens the store. What panics there is sled over damaged files, and the error tells of it.
const OPENING: &str = "flowdeck-store-open";

/// Keeps a panic that is answered with an error off the screen.
pub(crate) fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match std::thread::current().name() {
        Some(OPENING) => tracing::warn!(%panic, "the store did not open"),
        _ => usual(panic),
    }));
}

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
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A reader of it that went away is no reason to panic.
    log.log_internal_errors(false).try_init().ok();
}
