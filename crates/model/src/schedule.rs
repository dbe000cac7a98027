//! When a scheduled flow is due: cron in a time zone, missed times, and the rule for clocks that are set.
//!
//! Pure; must never look at a clock, nor answer a time twice. Tests: below.
//!
//! The rule for clocks that are set (daylight saving), which is also `docs/schedules.md`'s: a fixed time that does not
//! exist that day starts at the first moment after the gap; a fixed time that exists twice starts the first time only;
//! what repeats (`*`, ranges, steps in seconds, minutes or hours) follows elapsed time.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use serde::{Deserialize, Serialize};

use crate::Millis;

/// A time that is at most this late is not missed: looking takes a moment.
pub const ON_TIME_MS: u64 = 60_000;
/// How long ago a missed time may be to be made up for, unless the flow says otherwise: a day.
pub const WITHIN_MS: u64 = 24 * 3_600_000;
/// Most times that are made up for at once.
pub const MISSED_MAX: usize = 1_000;

/// When a scheduled flow starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Cron expression: 5 fields, or 6 with seconds first.
    pub cron: String,
    /// IANA time zone.
    pub timezone: String,
    /// What becomes of times at which nothing ran.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missed: Missed,
    /// How long ago a missed time may be.
    #[serde(default = "within", skip_serializing_if = "is_within")]
    pub within_ms: u64,
    /// What happens when the run before has not ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
}

impl Schedule {
    /// A schedule that makes up for the last missed time of a day, and lets runs overlap.
    #[must_use]
    pub fn new(cron: &str, timezone: &str) -> Self {
        let (cron, timezone) = (cron.to_owned(), timezone.to_owned());
        Self { cron, timezone, missed: Missed::default(), within_ms: WITHIN_MS, overlap: Overlap::default() }
    }
}

/// What becomes of times at which nothing ran: the service was down, or the flow was off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The last one starts late.
    #[default]
    Last,
    /// Each starts late, in order.
    All,
}

/// What happens when a time comes and the run of the time before has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// Both run.
    #[default]
    Parallel,
    /// The time is left out.
    Skip,
    /// It starts when the one before has ended.
    Queue,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn within() -> u64 {
    WITHIN_MS
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_within(ms: &u64) -> bool {
    *ms == WITHIN_MS
}

/// More times than this are never listed.
const LOOKED_AT_MAX: usize = 10 * MISSED_MAX;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleFault {
    /// The expression is not cron.
    #[error("`{0}` is not a cron expression: {1}")]
    Cron(String, String),
    /// The time zone is unknown.
    #[error("there is no time zone named `{0}`")]
    Zone(String),
}

/// A schedule that can be asked.
///
/// ```
/// use flowdeck_model::Millis;
/// use flowdeck_model::schedule::{Plan, Schedule};
///
/// let plan = Plan::of(&Schedule::new("0 9 * * *", "America/Los_Angeles"))?;
/// let next = plan.next_after(Millis(1_769_851_800_000)).unwrap();
/// assert_eq!(next.to_iso(), "2026-01-31T17:00:00.000Z");
/// # Ok::<(), flowdeck_model::schedule::ScheduleFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    cron: Cron,
    zone: TimeZone,
    missed: Missed,
    within_ms: u64,
}

/// What is due at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The planned times that start now, oldest first.
    pub starts: Vec<Millis>,
    /// How many came within the window and do not start; of a very long list only the end is counted.
    pub skipped: usize,
    /// Everything up to here is settled.
    pub position: Millis,
}

impl Plan {
    /// Reads a schedule.
    ///
    /// # Errors
    /// [`ScheduleFault`], whose text names the part.
    pub fn of(schedule: &Schedule) -> Result<Self, ScheduleFault> {
        let broken = |cause: CronError| ScheduleFault::Cron(schedule.cron.clone(), cause.to_string());
        // croner takes a list with nothing in it, and then looks for its next time second by second, for ever.
        if schedule.cron.split_whitespace().any(|field| field.split(',').any(str::is_empty)) {
            let what = "a place between or beside its commas is empty".to_owned();
            return Err(ScheduleFault::Cron(schedule.cron.clone(), what));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(&schedule.cron).map_err(broken)?;
        let zone = TimeZone::get(&schedule.timezone).map_err(|_| ScheduleFault::Zone(schedule.timezone.clone()))?;
        Ok(Self { cron, zone, missed: schedule.missed, within_ms: schedule.within_ms })
    }

    /// The first planned time after a moment; `None` when none comes any more.
    #[must_use]
    pub fn next_after(&self, after: Millis) -> Option<Millis> {
        let after = Timestamp::from_millisecond(after.0).ok()?.to_zoned_datetime(self.zone.clone());
        let next = self.cron.find_next_occurrence(&Moment(after), false).ok()?;
        Some(Millis(next.0.timestamp().as_millisecond()))
    }

    /// What is due at `now` when everything up to `position` is settled. A position in the future means that the clock
    /// was set back: times come again, and whoever starts runs knows by their time which ones ran already.
    #[must_use]
    pub fn due(&self, position: Millis, now: Millis) -> Due {
        // What is older than the window is not even looked at.
        let oldest = Millis(now.0.saturating_sub_unsigned(self.within_ms.max(ON_TIME_MS)));
        let mut times = Vec::new();
        let mut at = position.min(now).max(oldest);
        while let Some(next) = self.next_after(at).filter(|next| *next <= now) {
            at = next;
            times.push(next);
            if times.len() == LOOKED_AT_MAX {
                // Far more than are made up for: the older half of the rest cannot be among them.
                times.clear();
                at = Millis(at.0 + (now.0 - at.0) / 2);
            }
        }
        let late = times.partition_point(|time| now.since(*time) > ON_TIME_MS);
        let first = match self.missed {
            Missed::Skip => late,
            // One that is on time makes up for those before it.
            Missed::Last if late < times.len() => late,
            Missed::Last => late.saturating_sub(1),
            Missed::All => times.len().saturating_sub(MISSED_MAX),
        };
        let starts = times.split_off(first);
        Due { starts, skipped: times.len(), position: now }
    }
}

/// A moment in a zone, as the cron library asks for it.
#[derive(Debug, Clone)]
struct Moment(ZonedDateTime);

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0.datetime();
        let part = |part: i8| u32::from(part.unsigned_abs());
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(i32::from(at.year()), part(at.month()), part(at.day())),
            CivilTime::from_parts_unchecked(part(at.hour()), part(at.minute()), part(at.second())),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.0.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidTime);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day) = (part(civil.month())?, part(civil.day())?);
        let (hour, minute, second) = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        let at = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0);
        let found = self.0.time_zone().to_ambiguous_zoned_datetime(at.map_err(|_| CronError::InvalidDate)?);
        let invalid = |_| CronError::InvalidTime;
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(Self(found.unambiguous().map_err(invalid)?)),
            AmbiguousOffset::Fold { .. } => {
                let earlier = found.clone().earlier().map_err(invalid)?;
                Resolution::Ambiguous(Self(earlier), Self(found.later().map_err(invalid)?))
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Millis {
        Millis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn plan(cron: &str, zone: &str) -> Plan {
        Plan::of(&Schedule::new(cron, zone)).unwrap()
    }

    fn next(plan: &Plan, after: &str, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut from = at(after);
        while found.len() < count {
            from = plan.next_after(from).unwrap();
            found.push(from.to_iso().replace(".000Z", "Z"));
        }
        found
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let fault = |cron, zone| Plan::of(&Schedule::new(cron, zone)).unwrap_err().to_string();
        assert!(fault("61 * * * *", "UTC").starts_with("`61 * * * *` is not a cron expression"));
        for list in [", 0 * 1 * 4", "0 , * * *", "0 9 * * 1,", "0 9 * * ,1", "0 9 1,,2 * *"] {
            assert!(fault(list, "UTC").ends_with("is empty"), "{list}");
        }
        assert_eq!(fault("0 9 * * *", "Mars/Base"), "there is no time zone named `Mars/Base`");
        assert_eq!(plan("0 0 30 2 *", "UTC").next_after(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn five_and_six_fields_and_words() {
        let from = "2026-11-30T12:00:00Z";
        for (cron, expected) in [
            ("*/20 * * * *", &["2026-11-30T12:20:00Z", "2026-11-30T12:40:00Z"]),
            ("15 30 9 * * *", &["2026-12-01T09:30:15Z", "2026-12-02T09:30:15Z"]),
            ("0 9 * * MON-FRI", &["2026-12-01T09:00:00Z", "2026-12-02T09:00:00Z"]),
            ("0 0 1 jan *", &["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
            ("0 0 * * 7", &["2026-12-06T00:00:00Z", "2026-12-13T00:00:00Z"]),
            ("0 12 L * *", &["2026-12-31T12:00:00Z", "2027-01-31T12:00:00Z"]),
        ] {
            assert_eq!(next(&plan(cron, "UTC"), from, 2), expected, "{cron}");
        }
    }

    /// Fixed times in the gap and in the fold of twelve zones; the day before, that day, the day after.
    #[test]
    fn a_fixed_time_starts_once_a_day_also_when_clocks_are_set() {
        for (zone, cron, from, expected) in [
            ("America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"),
            ("America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"),
            ("America/Los_Angeles", "0 2 * * *", "2026-03-08T00:00:00Z", "2026-03-08T10:00:00Z"),
            ("America/Sao_Paulo", "30 0 * * *", "2026-03-08T00:00:00Z", "2026-03-08T03:30:00Z"),
            ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("Europe/London", "15 1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("Europe/London", "15 1 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:15:00Z"),
            ("Australia/Sydney", "30 2 * * *", "2026-10-03T03:00:00Z", "2026-10-03T16:00:00Z"),
            ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"),
            ("Pacific/Auckland", "30 2 * * *", "2026-04-04T00:00:00Z", "2026-04-04T13:30:00Z"),
            ("Asia/Kolkata", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-28T21:00:00Z"),
            ("Africa/Cairo", "30 0 * * *", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"),
            ("America/Santiago", "30 0 * * *", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"),
            ("Asia/Tokyo", "0 0 * * *", "2026-03-28T12:00:00Z", "2026-03-28T15:00:00Z"),
        ] {
            let plan = plan(cron, zone);
            assert_eq!(next(&plan, from, 1), [expected], "{zone} {cron}");
            // Exactly one start in each of the days around.
            let (first, last) = (at(from), at(from).plus(4 * 24 * 3_600_000));
            let mut count = 0;
            let mut time = first;
            while let Some(found) = plan.next_after(time).filter(|found| *found <= last) {
                (time, count) = (found, count + 1);
            }
            assert_eq!(count, 4, "{zone} {cron}");
        }
    }

    #[test]
    fn what_repeats_follows_elapsed_time() {
        let hours = next(&plan("0 * * * *", "Europe/Berlin"), "2026-10-24T23:30:00Z", 4);
        assert_eq!(
            hours,
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"]
        );
        let hours = next(&plan("0 * * * *", "Europe/Berlin"), "2026-03-28T23:30:00Z", 3);
        assert_eq!(hours, ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
    }

    #[test]
    fn missed_times_are_left_out_or_made_up_for() {
        let due = |missed, position: &str, now: &str| {
            let schedule = Schedule { missed, within_ms: 4 * 3_600_000, ..Schedule::new("0 * * * *", "UTC") };
            let due = Plan::of(&schedule).unwrap().due(at(position), at(now));
            assert_eq!(due.position, at(now));
            let starts: Vec<_> = due.starts.iter().map(|time| time.to_iso()[11..16].to_owned()).collect();
            (starts.join(" "), due.skipped)
        };
        use Missed::{All, Last, Skip};
        for (missed, position, now, starts, skipped) in [
            // On time, and nothing twice.
            (Skip, "2026-01-01T08:59:59Z", "2026-01-01T09:00:00Z", "09:00", 0),
            (Skip, "2026-01-01T09:00:00Z", "2026-01-01T09:00:01Z", "", 0),
            (Last, "2026-01-01T08:59:59Z", "2026-01-01T09:01:00Z", "09:00", 0),
            // Three hours down.
            (Skip, "2026-01-01T09:30:00Z", "2026-01-01T12:30:00Z", "", 3),
            (Last, "2026-01-01T09:30:00Z", "2026-01-01T12:30:00Z", "12:00", 2),
            (All, "2026-01-01T09:30:00Z", "2026-01-01T12:30:00Z", "10:00 11:00 12:00", 0),
            // Back on time: that one counts for those before it.
            (Skip, "2026-01-01T09:30:00Z", "2026-01-01T12:00:30Z", "12:00", 2),
            (Last, "2026-01-01T09:30:00Z", "2026-01-01T12:00:30Z", "12:00", 2),
            // A day down: only the window.
            (All, "2025-12-31T12:30:00Z", "2026-01-01T12:30:00Z", "09:00 10:00 11:00 12:00", 0),
            // The clock was set back.
            (All, "2026-01-01T12:30:00Z", "2026-01-01T09:00:00Z", "", 0),
        ] {
            assert_eq!(due(missed, position, now), (starts.to_owned(), skipped), "{missed:?} {position} {now}");
        }
    }

    #[test]
    fn years_of_seconds_are_bounded() {
        let year = 366 * 24 * 3_600_000;
        let schedule = Schedule { missed: Missed::All, within_ms: year, ..Schedule::new("* * * * * *", "UTC") };
        let now = at("2026-06-01T00:00:00Z");
        let due = Plan::of(&schedule).unwrap().due(Millis(now.0 - year as i64), now);
        assert_eq!((due.starts.len(), due.starts.last()), (MISSED_MAX, Some(&now)));
    }

    #[test]
    fn a_plain_schedule_is_stored_as_it_always_was() {
        let schedule = Schedule::new("0 9 * * *", "UTC");
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(text, r#"{"cron":"0 9 * * *","timezone":"UTC"}"#);
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
    }

    proptest! {
        #[test]
        fn looking_often_or_once_starts_the_same(minutes in prop::collection::vec(1_i64..40, 1..60)) {
            let schedule = Schedule { missed: Missed::All, ..Schedule::new("*/7 * * * *", "Europe/Berlin") };
            let plan = Plan::of(&schedule).unwrap();
            let start = at("2026-10-24T20:00:00Z");
            let (mut position, mut often) = (start, Vec::new());
            for minutes in minutes {
                let due = plan.due(position, Millis(position.0 + minutes * 60_000));
                often.extend(due.starts);
                position = due.position;
            }
            prop_assert_eq!(often, plan.due(start, position).starts);
        }
    }
}
