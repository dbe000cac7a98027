//! When an app says that it takes requests again.
//!
//! Must never trust this machine's clock where the answer brings its own.
//! Tests: below.

use flowdeck_model::time::{http_date, retry_after_ms};
use flowdeck_model::{Millis, Value};

/// Longest pause believed; callers cap it further by the deadline.
const PAUSE_MS_MAX: u64 = 24 * 3_600_000;

/// The pause that an answer asks for: `Retry-After` in seconds or as a date (RFC 9110 10.2.3), else the app's own header
/// with a Unix time in seconds. Dates count from the answer's `Date`, else from `now`.
pub(crate) fn after_ms(answer: &Value, reset_header: &str, now: Millis) -> Option<u64> {
    let header = |name: &str| answer["headers"][name].as_str().map(str::trim);
    let pause_ms = header("retry-after").and_then(|text| retry_after_ms(text, header("date"), now));
    let by_reset = || {
        let name = reset_header.to_ascii_lowercase();
        let seconds = header(&name).filter(|_| !name.is_empty())?.parse::<i64>().ok()?;
        let sent = header("date").and_then(http_date).unwrap_or(now);
        Some(Millis(seconds.saturating_mul(1000)).since(sent))
    };
    pause_ms.or_else(by_reset).map(|ms| ms.min(PAUSE_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_gives_a_pause() {
        // 1 790 000 000 s is Mon, 21 Sep 2026 14:13:20 GMT.
        let now = Millis(1_790_000_000_000);
        let check = |headers: Value, expected: Option<u64>| {
            let answer = json!({ "headers": headers });
            assert_eq!(after_ms(&answer, "X-Rate-Limit-Reset", now), expected, "{answer}");
        };
        check(json!({"retry-after": "3"}), Some(3_000));
        check(json!({"retry-after": " 0 "}), Some(0));
        check(json!({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}), Some(10_000));
        check(json!({"retry-after": "Mon, 21 Sep 2026 14:13:00 GMT"}), Some(0));
        // A server whose clock is an hour ahead says so itself.
        let ahead = json!({"date": "Mon, 21 Sep 2026 15:13:20 GMT", "retry-after": "Mon, 21 Sep 2026 15:13:25 GMT"});
        check(ahead, Some(5_000));
        check(json!({"x-rate-limit-reset": "1790000007"}), Some(7_000));
        check(json!({"retry-after": "2", "x-rate-limit-reset": "1790000007"}), Some(2_000));
        check(json!({"retry-after": "soon"}), None);
        check(json!({"retry-after": "-5"}), None);
        check(json!({"retry-after": "99999999999999999999999"}), None);
        check(json!({"retry-after": "99999999999"}), Some(PAUSE_MS_MAX));
        check(json!({}), None);
        assert_eq!(after_ms(&json!({"headers": {"": "5"}}), "", now), None);
    }
}
