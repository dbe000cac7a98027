//! When trouble that may pass has lasted so long that a person is needed.
//!
//! Pure. Must never end a grant: what recovers by itself goes on by itself.
//! Tests: below, `tests/trouble.rs`.

use flowdeck_model::Millis;

use crate::lifecycle::{Happening, next};
use crate::record::ConnectionRecord;

/// Failures in a row before a person is asked. With the usual pauses the tenth comes after about ten minutes.
pub(crate) const STREAK_MAX: u32 = 10;
/// How long they must have lasted before a person is asked, in milliseconds. Less than the hour for which a step that is
/// put off again and again is kept from failing.
pub(crate) const LASTED_MS: u64 = 30 * 60_000;

impl ConnectionRecord {
    /// Whether it has failed so often *and* for so long that waiting alone is no answer. Counts only where the credential
    /// is known not to work: its token has ended, or the app refuses it.
    pub(crate) fn is_worn(&self, now: Millis) -> bool {
        self.streak > STREAK_MAX && self.trouble_since.is_some_and(|since| now.since(since) >= LASTED_MS)
    }

    /// Why a person is asked, for the prompt.
    pub(crate) fn why_wanted(&self) -> String {
        match self.trouble_since.filter(|_| self.streak > STREAK_MAX) {
            Some(since) => format!(
                "it could be neither renewed nor checked since {}: {}; it is tried again whenever a card asks",
                since.to_iso(),
                self.state_reason
            ),
            None => self.state_reason.clone(),
        }
    }

    /// It worked: trouble is over.
    pub(crate) fn works(&mut self) {
        self.state = next(self.state, Happening::Worked).unwrap_or(self.state);
        self.state_reason.clear();
        self.streak = 0;
        self.retry_at = None;
        self.trouble_since = None;
    }
}
