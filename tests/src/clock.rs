//! Time in the tests: dates for fixtures, and a binary whose clock stands elsewhere.
//!
//! Must never move the clock that timeouts run on: only the time of day is moved, as on a real machine.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use crate::missing;

/// A moment before now, as RFC 3339 text.
#[must_use]
pub fn days_ago(days: i64) -> String {
    // Fixtures follow the real clock, as the binary does.
    #[allow(clippy::disallowed_methods)]
    let now = Timestamp::now();
    (now - SignedDuration::from_hours(24 * days)).to_string()
}

/// How far the binary's time of day is off, and what moves it.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    offset: String,
}

impl Clock {
    /// A time of day that is `days` ahead, or behind where negative; `None` where `libfaketime` may be missing.
    #[must_use]
    pub fn days(days: i32) -> Option<Self> {
        let library =
            missing::need("libfaketime", "apt-get install faketime, or `cargo xtask setup` as root", library())?;
        Some(Self { library, offset: format!("{days:+}d") })
    }

    /// Environment that moves the clock of a program.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME", self.offset.clone()),
            // Timers and futexes go on as they do when somebody sets a machine's clock.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

/// The preload library, wherever Debian's architecture folders put it.
fn library() -> Option<PathBuf> {
    let near = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    near.chain([PathBuf::from("/usr/lib"), PathBuf::from("/usr/local/lib")])
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.is_file())
}
