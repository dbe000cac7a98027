//! How often the moving line is drawn anew: a loop may end thousands of steps a second.
//!
//! Must never lose the last of what it held back, nor know a clock.
//! Tests: below.

use std::time::{Duration, Instant};

/// Between two drawings.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// The latest line, drawn or owed.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    drawn: Option<Instant>,
    held: Option<String>,
}

impl Pace {
    /// A new line: what to draw of it now. What is held back is owed.
    pub(crate) fn offer(&mut self, text: String, now: Instant) -> Option<String> {
        self.held = Some(text);
        self.catch_up(now)
    }

    /// The line that was held back, once its time has come.
    pub(crate) fn catch_up(&mut self, now: Instant) -> Option<String> {
        if self.held.is_none() || self.wait(now) > Duration::ZERO {
            return None;
        }
        self.drawn = Some(now);
        self.held.take()
    }

    /// In how long there is something to draw, where there is.
    pub(crate) fn owes(&self, now: Instant) -> Option<Duration> {
        self.held.as_ref().map(|_| self.wait(now))
    }

    /// Something else stands there now.
    pub(crate) fn forget(&mut self) {
        self.held = None;
    }

    fn wait(&self, now: Instant) -> Duration {
        self.drawn.map_or(Duration::ZERO, |drawn| (drawn + DRAW_EVERY).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_steps_in_a_second_are_drawn_ten_times_and_the_last_one_is_not_lost() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let drawn: Vec<String> = (0..1000).filter_map(|ms| pace.offer(format!("{ms} of 1000"), at(ms))).collect();
        assert_eq!(drawn.len(), 10, "{drawn:?}");
        assert_eq!(drawn[..2], ["0 of 1000", "100 of 1000"]);
        // The loop waits: what was held back is drawn when its time has come, once.
        assert_eq!(pace.owes(at(999)), Some(Duration::from_millis(1)));
        assert_eq!(pace.catch_up(at(999)), None);
        assert_eq!(pace.catch_up(at(1000)).as_deref(), Some("999 of 1000"));
        assert_eq!((pace.owes(at(1000)), pace.catch_up(at(5000))), (None, None));
    }

    #[test]
    fn a_line_that_something_else_took_the_place_of_is_not_drawn_late() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!(pace.offer("one".into(), start).is_some());
        assert!(pace.offer("two".into(), start).is_none());
        pace.forget();
        assert_eq!(pace.catch_up(start + Duration::from_secs(1)), None);
        assert!(pace.offer("three".into(), start + Duration::from_secs(1)).is_some(), "it is not held back for ever");
    }
}
