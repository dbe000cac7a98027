//! What `docs/schedules.md` promises of missed and overlapping times, told a second time and as plainly as it can be.
//!
//! Must never share code with what it judges, but for the planned times themselves (which have tests of their own).
//! Tests: `../clocks.rs` uses it.

use std::collections::BTreeSet;

use flowdeck::model::Millis;
use flowdeck::model::schedule::{Missed, Overlap, Plan, Schedule};

/// So late a time is still on time, in milliseconds.
const ON_TIME_MS: u64 = 60_000;

pub(crate) struct Rules {
    schedule: Schedule,
    plan: Plan,
    /// Everything up to here is settled.
    settled: Millis,
    queued: Vec<Millis>,
    /// The time whose run was started last.
    last: Option<Millis>,
    /// Times whose run has not ended.
    pub(crate) running: BTreeSet<Millis>,
}

impl Rules {
    pub(crate) fn new(schedule: Schedule, now: Millis) -> Self {
        let plan = Plan::of(&schedule).unwrap();
        Self { schedule, plan, settled: now, queued: Vec::new(), last: None, running: BTreeSet::new() }
    }

    /// The times that a look starts, in order; `known` have a run already.
    pub(crate) fn look(&mut self, now: Millis, known: impl Fn(Millis) -> bool) -> Vec<Millis> {
        let mut started = Vec::new();
        // What came only because the clock was ahead comes again.
        let queued = std::mem::take(&mut self.queued).into_iter().filter(|time| *time <= now);
        let planned: Vec<_> = queued.chain(self.due(now)).collect();
        for time in planned {
            let free = self.last.is_none_or(|last| !self.running.contains(&last));
            match self.schedule.overlap {
                Overlap::Parallel => {}
                Overlap::Skip if !free => continue,
                Overlap::Queue if !free => {
                    self.queued.push(time);
                    continue;
                }
                Overlap::Skip | Overlap::Queue => {}
            }
            if !known(time) {
                self.running.insert(time);
            }
            self.last = Some(time);
            started.push(time);
        }
        started
    }

    fn due(&mut self, now: Millis) -> Vec<Millis> {
        let oldest = Millis(now.0 - i64::try_from(self.schedule.within_ms).unwrap());
        let mut times = Vec::new();
        // A settled time ahead of the clock comes back with it.
        self.settled = self.settled.min(now);
        let mut at = self.settled.max(oldest);
        while let Some(next) = self.plan.next_after(at).filter(|next| *next <= now) {
            times.push(next);
            at = next;
        }
        if !times.is_empty() {
            self.settled = now;
        }
        let on_time = |time: &Millis| now.since(*time) <= ON_TIME_MS;
        match self.schedule.missed {
            Missed::All => times,
            Missed::Last if !times.iter().any(on_time) => times.into_iter().last().into_iter().collect(),
            Missed::Last | Missed::Skip => times.into_iter().filter(on_time).collect(),
        }
    }
}
