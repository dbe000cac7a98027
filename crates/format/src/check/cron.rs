//! Whether a cron expression is well formed: 5 fields, or 6 with seconds first.
//!
//! Must never say yes to what the scheduler's own reader refuses.
//! Tests: below.

use flowdeck_model::Millis;
use flowdeck_model::schedule::{Plan, Schedule};

const FIELDS: [(&str, u32, u32, &[&str]); 6] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// What is wrong with a schedule's cron expression. The scheduler decides; the words are ours where they are better.
pub(super) fn wrong(schedule: &Schedule) -> Option<String> {
    let cron = schedule.cron.as_str();
    match Plan::of(&Schedule::new(cron, "UTC")) {
        Ok(plan) => plan.next_after(Millis(0)).is_none().then(|| format!("`{cron}` never comes")),
        Err(fault) => wrong_field(cron).or_else(|| Some(fault.to_string())),
    }
}

fn wrong_field(cron: &str) -> Option<String> {
    let parts: Vec<_> = cron.split_whitespace().collect();
    let fields = match parts.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        n => return Some(format!("a cron expression has 5 fields, or 6 with seconds, and this one has {n}")),
    };
    parts.iter().zip(fields).find_map(|(part, (name, min, max, words))| {
        let fits = part.split(',').all(|item| item_fits(item, *min, *max, words));
        (!fits).then(|| format!("`{part}` cannot be the {name} of a cron expression (from {min} to {max})"))
    })
}

fn item_fits(item: &str, min: u32, max: u32, words: &[&str]) -> bool {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = words.iter().position(|w| *w == lower) {
            return u32::try_from(at).ok().map(|at| at + u32::from(min == 1));
        }
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
            .filter(|n| (min..=max).contains(n))
    };
    let step_fits = step.is_none_or(|s| s.parse::<u32>().is_ok_and(|n| n >= 1 && n <= max));
    let range_fits = match range.split_once('-') {
        Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
        None => range == "*" || number(range).is_some(),
    };
    step_fits && range_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_expressions_are_checked_field_by_field() {
        let wrong = |cron| wrong(&Schedule::new(cron, "UTC"));
        for good in ["0 9 * * *", "*/5 * * * MON-FRI", "0 0 9 1,15 jan-jun *", "0 0 * * 7", "0 12 L * *", "@daily"] {
            assert_eq!(wrong(good), None, "{good}");
        }
        assert_eq!(wrong("0 0 30 2 *").unwrap(), "`0 0 30 2 *` never comes");
        for bad in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
        ] {
            assert!(wrong(bad).is_some(), "{bad}");
        }
    }
}
