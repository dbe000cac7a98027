//! What looks like a secret in plain text.
//!
//! Must never repeat what it looked at.
//! Tests: below, `tests/diagnostics.rs`.

/// Shortest text in a field for secrets that is one; shorter ones are examples.
pub(crate) const SECRET_CHARS_MIN: usize = 8;

/// Tokens of well-known services by their prefix, long enough to be real.
pub(crate) fn looks_like_token(text: &str) -> bool {
    const PREFIXES: [&str; 12] = [
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "ghp_",
        "gho_",
        "github_pat_",
        "sk-",
        "sk_live_",
        "AKIA",
        "eyJhbGciOi",
        "whsec_",
        "glpat-",
    ];
    text.len() >= 20
        && PREFIXES.iter().any(|p| text.starts_with(p))
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=+/".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit())
}

/// The words of a text that look like tokens, with the text before each, and what is left behind the last one.
pub(crate) fn split(text: &str) -> (Vec<(&str, &str)>, &str) {
    let mut found = Vec::new();
    let (mut from, mut start) = (0, 0);
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if !ends(c) {
            continue;
        }
        if looks_like_token(&text[start..at]) {
            found.push((&text[from..start], &text[start..at]));
            from = at;
        }
        start = at + c.len_utf8();
    }
    (found, &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stand_between_blanks_and_quotes() {
        let token = format!("xoxb-{}", "1234567890abcdef");
        let text = format!("{{\"a\": \"Bearer {token}\"}}");
        let (found, rest) = split(&text);
        assert_eq!(found, [("{\"a\": \"Bearer ", token.as_str())]);
        assert_eq!(rest, "\"}");
        assert_eq!(split("plain text"), (vec![], "plain text"));
        assert_eq!(split(&format!("{token} {token}")).0.len(), 2);
    }
}
