//! Waiting for other processes, always with a deadline.
//!
//! Must never wait without an end, nor pass a deadline off as success.
//! Tests: used by all.

use std::time::{Duration, Instant};

/// Longest wait for anything, in seconds. It only ends tests that hang, so it is generous.
pub const DEADLINE_S: u64 = 120;

/// The end of a wait that begins now.
#[must_use]
pub fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(DEADLINE_S)
}

/// Asks again and again until there is an answer. Only for what tells nobody when it happens, such as another
/// program's port; everything of ours is waited for by its own sign.
///
/// # Panics
/// When the deadline passes.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = deadline();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {DEADLINE_S} s in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
