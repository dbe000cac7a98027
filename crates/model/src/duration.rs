//! Durations as texts: `500ms`, `90s`, `10m`, `2h`, `30d`, and sums such as `1h30m`.
//!
//! Must never take a bare number: its unit would be a guess.
//! Tests: below.

/// Longest duration: a hundred years.
const DURATION_MS_MAX: u64 = 36_500 * 24 * 60 * 60 * 1000;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// What a duration looks like, for messages.
pub const DURATION_RULE: &str = "a number and a unit: `500ms`, `90s`, `10m`, `2h`, `30d` or a sum as `1h30m`";

/// Milliseconds of a duration text; `None` where it is not one or is longer than a hundred years.
///
/// ```
/// assert_eq!(flowdeck_model::duration::parse_duration("1h30m"), Some(5_400_000));
/// assert_eq!(flowdeck_model::duration::parse_duration("90"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() || rest.len() > 60 {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        rest = rest[letters..].trim_start();
    }
    (total <= DURATION_MS_MAX).then_some(total)
}

/// The shortest text of a duration: one number in the largest unit that divides it.
///
/// ```
/// assert_eq!(flowdeck_model::duration::duration_text(5_400_000), "90m");
/// ```
#[must_use]
pub fn duration_text(ms: u64) -> String {
    let (unit, factor) = UNITS.iter().find(|(_, factor)| ms != 0 && ms.is_multiple_of(*factor)).unwrap_or(&("s", 1000));
    format!("{}{unit}", ms / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms) in [("90s", 90_000), ("2h", 7_200_000), ("1h30m", 5_400_000), ("1h 30m", 5_400_000), ("7ms", 7)]
        {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
            assert_eq!(parse_duration(&duration_text(ms)), Some(ms));
        }
        assert_eq!(duration_text(0), "0s");
        assert_eq!(duration_text(2_592_000_000), "30d");
        for bad in ["", "10", "m", "1.5h", "-1s", "1y", "99999999999d", "1h30"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
