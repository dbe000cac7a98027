//! Patterns as JavaScript writes them, turned into the linear-time dialect.
//!
//! Must never change what a pattern means to JavaScript; what has no counterpart is left for the compiler to refuse.
//! Tests: below.

/// Said on the page of every card that takes a pattern.
pub(crate) const DIALECT: &str = "Patterns are JavaScript's regular expressions without what cannot run in linear time: look-ahead and look-behind (`(?=…)`, `(?<=…)`) and back references (`\\1`) are refused. Further differences: characters are whole Unicode characters, as with JavaScript's flag `u`; `.` is any character but a line feed; `(?i)`, `(?m)`, `(?s)` at the front set flags, because a pattern is written without slashes.";

/// The pattern for the compiler.
pub(crate) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '\\' => {
                let next = rest[1..].chars().next();
                used += next.map_or(0, char::len_utf8);
                match (next, in_class) {
                    (Some('d'), false) => out.push_str("[0-9]"),
                    (Some('d'), true) => out.push_str("0-9"),
                    (Some('D'), _) => out.push_str("[^0-9]"),
                    (Some('w'), false) => out.push_str("[0-9A-Za-z_]"),
                    (Some('w'), true) => out.push_str("0-9A-Za-z_"),
                    (Some('W'), _) => out.push_str("[^0-9A-Za-z_]"),
                    (Some('b'), false) => out.push_str(r"(?-u:\b)"),
                    (Some('b'), true) => out.push_str(r"\x08"),
                    // `\B` by bytes could stand inside a character, so it keeps the Unicode meaning.
                    _ => out.push_str(&rest[..used]),
                }
            }
            '[' if !in_class => {
                if rest.starts_with("[^]") {
                    out.push_str("(?s:.)");
                    used = 3;
                } else if rest.starts_with("[]") {
                    out.push_str(r"[^\s\S]");
                    used = 2;
                } else {
                    in_class = true;
                    out.push('[');
                    if rest.starts_with("[^") {
                        out.push('^');
                        used = 2;
                    }
                }
            }
            // Inside a class these are plain characters to JavaScript: no classes in classes, no set operations.
            '[' => out.push_str(r"\["),
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            // A range from or to a hyphen, not a difference of classes.
            '-' if in_class && rest.starts_with("--") => {
                out.push_str(if out.ends_with(['[', '^']) { r"\--" } else { r"-\-" });
                used = 2;
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '{' if !in_class && !is_count(rest) && ![r"\p", r"\P", r"\u", r"\x"].iter().any(|e| out.ends_with(e)) => {
                out.push_str(r"\{")
            }
            c => out.push(c),
        }
        rest = &rest[used..];
    }
    out
}

/// Whether a brace begins a count, as `{2}`, `{2,}` or `{2,3}`.
fn is_count(rest: &str) -> bool {
    let Some((inner, _)) = rest[1..].split_once('}') else { return false };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

#[cfg(test)]
mod tests {
    use super::super::pattern::compile;

    #[test]
    fn means_what_javascript_means() {
        for (pattern, text, expected) in [
            (r"^\d+$", "٣", false),
            (r"^\d+$", "3", true),
            (r"^\w$", "é", false),
            (r"^[\w-]+$", "a-b_1", true),
            (r"^[\d.]+$", "1.2", true),
            (r"^[^\d]$", "x", true),
            (r"^[\D]$", "1", false),
            (r"\bé", "aé", true),
            (r"^[[]$", "[", true),
            (r"^[a&&b]+$", "&", true),
            (r"^[a~~b]+$", "~", true),
            (r"^[+--]+$", ",", true),
            (r"^[--/]$", ".", true),
            (r"^[^]$", "\n", true),
            (r"[]", "a", false),
            ("^{a}$", "{a}", true),
            ("^a{2}$", "aa", true),
            ("^a{2,}$", "aaa", true),
            ("^a{,2}$", "a{,2}", true),
            (r"^\{\/\-$", "{/-", true),
            (r"^\u00e9$", "é", true),
            (r"^\p{L}\P{L}$", "é1", true),
            (r"^\u{1F600}$", "😀", true),
            (r"^[\]]$", "]", true),
            (r"^[\b]$", "\u{8}", true),
            ("^(?<n>a)$", "a", true),
            ("(?i)A", "a", true),
            ("^.$", "😀", true),
            ("^.$", "\n", false),
        ] {
            let found = compile(pattern, true).unwrap_or_else(|e| panic!("{pattern}: {e:?}"));
            assert_eq!(found.is_match(text), expected, "{pattern} on {text:?}");
        }
        for refused in ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", r"(a)\1", "(", "[a", r"\"] {
            assert!(compile(refused, true).is_err(), "{refused}");
        }
    }
}
