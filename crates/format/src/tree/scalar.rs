//! What an unquoted YAML scalar means: the core schema of YAML 1.2, without its surprises.
//!
//! Must never turn `no`, `on` or a version number into something else silently.
//! Tests: below.

use serde_json::Number;

/// The meaning of an unquoted scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Number(Number),
    Text,
    /// Looks like a number but would lose something; the reason.
    Doubtful(&'static str),
}

/// Reads an unquoted scalar (YAML 1.2 section 10.3.2).
pub(crate) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Plain::Doubtful("infinity and not-a-number have no place in JSON");
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Plain::Doubtful("a number with leading zeros would lose them");
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        return if let Ok(n) = digits.parse::<i64>() {
            Plain::Number(n.into())
        } else if let Ok(n) = digits.parse::<u64>() {
            Plain::Number(n.into())
        } else {
            Plain::Doubtful("a whole number this large would lose digits")
        };
    }
    if is_float(unsigned) {
        return match text.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(n) => Plain::Number(n),
            None => Plain::Doubtful("the number is too large"),
        };
    }
    Plain::Text
}

fn radix(digits: &str, radix: u32) -> Plain {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Plain::Text;
    }
    u64::from_str_radix(digits, radix)
        .map_or(Plain::Doubtful("a whole number this large would lose digits"), |n| Plain::Number(n.into()))
}

fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (text, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && all_digits(e)
    });
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits && (!whole.is_empty() || !part.is_empty()) && all_digits(whole) && all_digits(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_core_schema_is_typed() {
        for text in ["no", "yes", "on", "off", "y", "n", "1.2.3", "1_000", "0x", "2026-01-31", "12:30", ".", "e5", "-"]
        {
            assert_eq!(plain(text), Plain::Text, "{text}");
        }
        assert_eq!(plain("~"), Plain::Null);
        assert_eq!(plain("True"), Plain::Bool(true));
        assert_eq!(plain("-12"), Plain::Number((-12).into()));
        assert_eq!(plain("0x1F"), Plain::Number(31.into()));
        assert_eq!(plain("1e3"), Plain::Number(Number::from_f64(1000.0).unwrap()));
        assert_eq!(plain(".5"), Plain::Number(Number::from_f64(0.5).unwrap()));
        for text in ["007", ".inf", "-.Inf", ".nan", "99999999999999999999", "1e999"] {
            assert!(matches!(plain(text), Plain::Doubtful(_)), "{text}");
        }
    }
}
