//! What a caller may choose when starting a playground.
//!
//! Must never read the environment or the clock itself.
//! Tests: every walk in `tests/walk/` starts from these.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The time now, in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What fills a new directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// 24 made-up people in 4 groups; the dates of their last visits count back from the clock.
    Staff,
    /// Nobody.
    Empty,
}

/// How many API requests one credential may make in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per window.
    pub requests: u32,
    /// Length of the window, in seconds.
    pub window_s: u32,
}

/// How long what the authorization server hands out lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Access tokens.
    pub access_s: u32,
    /// Refresh tokens, each from its own issue.
    pub refresh_s: u32,
    /// How long a rotated refresh token still works, for a client that lost the answer.
    pub refresh_grace_s: u32,
    /// Authorization codes.
    pub code_s: u32,
    /// Device codes.
    pub device_s: u32,
    /// Least time between two polls of a device.
    pub device_interval_s: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Lifetimes {
            access_s: 15 * 60,
            refresh_s: 30 * 24 * 3600,
            refresh_grace_s: 5,
            code_s: 60,
            device_s: 600,
            device_interval_s: 5,
        }
    }
}

/// How to start a playground.
#[derive(Clone)]
pub struct Options {
    /// Folder for the state file and the lock; made if missing.
    pub data_dir: PathBuf,
    /// A port to use instead of the remembered one. `None`: the remembered one, or a free one.
    pub port: Option<u16>,
    /// The time; tests move it by hand.
    pub clock: Clock,
    /// What fills the directory when there is no state file yet.
    pub seed: Seed,
    /// Lifetimes of codes and tokens.
    pub lifetimes: Lifetimes,
    /// Answer 429 beyond this. `None`: never.
    pub rate_limit: Option<RateLimit>,
    /// Serve `/_test/...`. Never for a playground that a person uses.
    pub test_controls: bool,
}

impl Options {
    /// The usual playground in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>, clock: Clock) -> Options {
        Options {
            data_dir: data_dir.into(),
            port: None,
            clock,
            seed: Seed::Staff,
            lifetimes: Lifetimes::default(),
            rate_limit: None,
            test_controls: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("data_dir", &self.data_dir)
            .field("port", &self.port)
            .field("seed", &self.seed)
            .field("lifetimes", &self.lifetimes)
            .field("rate_limit", &self.rate_limit)
            .field("test_controls", &self.test_controls)
            .finish_non_exhaustive()
    }
}
