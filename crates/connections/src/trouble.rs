//! How long to pause after trouble that may pass, and when it has lasted so long that a person is needed.
//!
//! Pure. Must never end a grant: what recovers by itself goes on by itself.
//! Tests: below, `tests/trouble.rs`.

use flowdeck_model::Millis;

use crate::lifecycle::{Happening, next};
use crate::random::{Random, bytes};
use crate::record::ConnectionRecord;

/// Failures in a row before a person is asked. With the usual pauses the tenth comes after about ten minutes.
pub(crate) const STREAK_MAX: u32 = 10;
/// How long they must have lasted before a person is asked, in milliseconds. Less than the hour for which a step that is
/// put off again and again is kept from failing.
pub(crate) const LASTED_MS: u64 = 30 * 60_000;

/// Longest pause that a provider may ask for, in milliseconds: beyond it one wrong header would cost a day.
const ASKED_MS_MAX: u64 = 3_600_000;

/// The pause before the next try, in milliseconds: doubled with each failure between the bounds, never shorter than the
/// provider asked for, and up to a quarter longer by chance, so that many connections do not come back at one moment.
pub(crate) fn pause_ms(failed: u32, bounds_ms: (u64, u64), asked_ms: Option<u64>, random: &dyn Random) -> u64 {
    let (shortest, longest) = bounds_ms;
    let grown = shortest.saturating_mul(1 << failed.min(20)).min(longest);
    let pause = grown.max(asked_ms.unwrap_or(0).min(ASKED_MS_MAX));
    pause.saturating_add(u64::from_be_bytes(bytes(random)) % (pause.min(longest) / 4 + 1))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    struct Seeded(parking_lot::Mutex<StdRng>);

    impl Random for Seeded {
        fn fill(&self, bytes: &mut [u8]) {
            rand::RngCore::fill_bytes(&mut *self.0.lock(), bytes);
        }
    }

    #[test]
    fn a_pause_doubles_between_its_bounds_and_is_never_shorter_than_was_asked_for() {
        const HOUR: u64 = 3_600_000;
        for (failed, asked, expected) in [
            (0, None, 1_000),
            (1, None, 2_000),
            (8, None, 256_000),
            (9, None, 300_000),
            (u32::MAX, None, 300_000),
            (0, Some(0), 1_000),
            (0, Some(30_000), 30_000),
            (9, Some(30_000), 300_000),
            (0, Some(HOUR), HOUR),
            (0, Some(HOUR + 1), HOUR),
            (0, Some(u64::MAX), HOUR),
        ] {
            assert_eq!(pause_ms(failed, (1_000, 300_000), asked, &Always(0)), expected, "{failed} {asked:?}");
        }
    }

    #[test]
    fn chance_makes_a_pause_up_to_a_quarter_longer() {
        let seed = 7;
        let random = Seeded(parking_lot::Mutex::new(StdRng::seed_from_u64(seed)));
        let pauses: Vec<u64> = (0..200).map(|_| pause_ms(3, (1_000, 300_000), None, &random)).collect();
        let (low, high) = (pauses.iter().min().copied(), pauses.iter().max().copied());
        assert!(low >= Some(8_000) && low < Some(8_200), "seed {seed}: {low:?}");
        assert!(high > Some(9_800) && high <= Some(10_000), "seed {seed}: {high:?}");
        // Of an hour that was asked for, too, no more than a quarter of our own longest pause.
        let asked: Vec<u64> = (0..200).map(|_| pause_ms(0, (1_000, 300_000), Some(3_600_000), &random)).collect();
        assert!(asked.iter().all(|p| (3_600_000..=3_675_000).contains(p)), "seed {seed}: {asked:?}");
        assert!(asked.iter().collect::<std::collections::BTreeSet<_>>().len() > 100, "seed {seed}");
    }
}
