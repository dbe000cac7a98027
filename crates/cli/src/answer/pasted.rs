//! Tells an address or a code that came back from a browser from other text.
//!
//! Must never repeat the text: it may hold a code that still works.
//! Tests: below.

/// Shortest text that may be a bare code, in bytes.
const CODE_BYTES_MIN: usize = 10;
/// From this length on a single word is no word that a person types by mistake, whatever its letters.
const CODE_BYTES_SURE: usize = 20;

/// What is said where the text is neither.
pub(crate) const EXPECTED: &str = "This is neither the address nor a code. Copy the whole address that your browser \
                                   ended at: it has `code=` and `state=` in it.";

/// Whether the text may be sent: a wrong one would end the attempt.
pub(crate) fn plausible(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'', '<', '>', '`']);
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return false;
    }
    let has = |key: &str| text.split(['?', '&', '#']).any(|pair| pair.strip_prefix(key).is_some_and(|v| !v.is_empty()));
    if has("error=") || (has("code=") && has("state=")) {
        return true;
    }
    let address = text.contains("://") || text.contains('?') || text.starts_with("localhost");
    let parameter = has("code=") || has("state=");
    !address && !parameter && is_code(text)
}

/// Whether one word looks like a code: visible ASCII (RFC 6749, appendix A.11), and long, or mixed as no typed word is.
/// A code need not hold a digit.
fn is_code(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    let inner = word.get(1..).unwrap_or_default();
    let mixed = has(u8::is_ascii_lowercase) && inner.bytes().any(|b| b.is_ascii_uppercase());
    word.bytes().all(|b| b.is_ascii_graphic())
        && (word.len() >= CODE_BYTES_SURE || word.len() >= CODE_BYTES_MIN && (mixed || has(u8::is_ascii_digit)))
}

#[cfg(test)]
mod tests {
    use super::plausible;

    #[test]
    fn only_an_answer_or_a_code_is_sent() {
        let cases = [
            ("http://127.0.0.1:8917/oauth/callback/gmail?code=a&state=b", true),
            (" <http://127.0.0.1:8917/oauth/callback/gmail?state=b&code=a> ", true),
            ("?code=a&state=b", true),
            ("http://127.0.0.1:8917/oauth/callback/gmail?error=access_denied&state=b", true),
            ("4/0AbCdEf-ghIjKl", true),
            ("AbCdEfGhIjKl", true),
            ("Certainlynot", false),
            ("abcdefghijklmnopqrst", true),
            ("abcdefghijklmnopqrs", false),
            ("\u{fc}\u{fc}\u{fc}\u{fc}1\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}", false),
            ("", false),
            ("hello", false),
            ("I do not know 12345", false),
            ("certainly-not-it", false),
            ("http://127.0.0.1:8917/oauth/callback/gmail", false),
            ("https://accounts.example/authorize?client_id=1&state=b", false),
            ("http://127.0.0.1:8917/oauth/callback/gmail?code=a", false),
            ("http://127.0.0.1:8917/oauth/callback/gmail?code=&state=b", false),
        ];
        for (text, sent) in cases {
            assert_eq!(plausible(text), sent, "{text}");
        }
    }
}
