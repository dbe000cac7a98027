//! Format tokens, as moment.js has them: cuts a format into its parts.
//!
//! Must never lose a character of the format.
//! Tests: below.

/// Longest format, in bytes.
pub(crate) const FORMAT_BYTES_MAX: usize = 1_000;

/// All tokens, longer ones before their beginnings.
const TOKENS: &[&str] = &[
    "YYYY",
    "yyyy",
    "YY",
    "yy",
    "Y",
    "y",
    "Qo",
    "Q",
    "MMMM",
    "MMM",
    "MM",
    "Mo",
    "M",
    "DDDD",
    "DDD",
    "Do",
    "DD",
    "D",
    "dddd",
    "ddd",
    "dd",
    "do",
    "d",
    "E",
    "e",
    "WW",
    "W",
    "ww",
    "w",
    "HH",
    "H",
    "hh",
    "h",
    "kk",
    "k",
    "mm",
    "m",
    "SSSSSSSSS",
    "SSSSSSSS",
    "SSSSSSS",
    "SSSSSS",
    "SSSSS",
    "SSSS",
    "SSS",
    "SS",
    "S",
    "ss",
    "s",
    "A",
    "a",
    "ZZ",
    "Z",
    "zz",
    "z",
    "X",
    "x",
    "LLLL",
    "LLL",
    "LL",
    "LTS",
    "LT",
    "L",
];

/// Said on the pages of the cards that take a format.
pub(crate) const HELP: &str = "Format tokens: `YYYY YY Y` year, `Q` quarter, `MMMM MMM MM M` month, `DD D Do` day, `DDDD DDD` day of the year, `dddd ddd dd` weekday, `d` its number (Monday 1, Sunday 0), `E` (Sunday 7), `WW W` ISO week, `HH H` hour, `hh h` hour to 12 with `A a` AM/PM, `kk k` hour 1 to 24, `mm m` minute, `ss s` second, `S` to `SSSSSSSSS` fractions, `Z ZZ` offset, `z` zone name, `X x` seconds and milliseconds since 1970, `L LL LLL LLLL LT LTS` whole dates and times. Text in `[brackets]` and other characters stay.";

/// A part of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'f> {
    /// A token.
    Token(&'f str),
    /// Text that stays.
    Text(&'f str),
}

/// Whether the day of the month comes before the month's number.
pub(crate) fn day_is_first(format: &str) -> bool {
    let place = |wanted: &[&str]| parts(format).iter().position(|p| matches!(p, Part::Token(t) if wanted.contains(t)));
    match (place(&["DD", "D", "Do"]), place(&["MM", "M", "Mo"])) {
        (Some(day), Some(month)) => day < month,
        _ => false,
    }
}

/// The parts in order.
pub(crate) fn parts(format: &str) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some(close) = rest.strip_prefix('[').and_then(|inner| inner.find(']')) {
            out.push(Part::Text(&rest[1..=close]));
            rest = &rest[close + 2..];
        } else if let Some(token) = TOKENS.iter().find(|token| rest.starts_with(**token)) {
            let (token, after) = rest.split_at(token.len());
            match token {
                "LLLL" => out.extend(parts("dddd, MMMM D, YYYY h:mm A")),
                "LLL" => out.extend(parts("MMMM D, YYYY h:mm A")),
                "LL" => out.extend(parts("MMMM D, YYYY")),
                "L" => out.extend(parts("MM/DD/YYYY")),
                "LT" => out.extend(parts("h:mm A")),
                "LTS" => out.extend(parts("h:mm:ss A")),
                token => out.push(Part::Token(token)),
            }
            rest = after;
        } else {
            let (text, after) = rest.split_at(first.len_utf8());
            out.push(Part::Text(text));
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Part::{Text, Token};
    use super::*;

    #[test]
    fn takes_the_longest_token_and_keeps_brackets() {
        assert_eq!(parts("YYYY-M[ at T]HH"), [Token("YYYY"), Text("-"), Token("M"), Text(" at T"), Token("HH")]);
        assert_eq!(parts("LT"), parts("h:mm A"));
        assert!(["DD/MM/YYYY", "D.M.YY"].into_iter().all(day_is_first));
        assert!(!["MM/DD/YYYY", "L", "D MMMM YYYY", "", "[DD] MM/DD"].into_iter().any(day_is_first));
        assert_eq!(parts("[é"), [Text("["), Text("é")]);
    }
}
