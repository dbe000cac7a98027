//! Help texts (a little Markdown) on a terminal.
//!
//! Must never lose a word: what it does not know it shows as it is.
//! Tests: below.

use super::style::{Style, width, wrap};

/// Headings, numbered steps and lists with hanging indents; `**strong**`, `*names*` and `` `code` `` set apart.
pub(crate) fn markdown(text: &str, style: Style, indent: usize) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in text.trim_end().lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            out.push_str(&format!("{}{}\n", " ".repeat(indent + 2), style.key(line)));
            continue;
        }
        if let Some(title) = line.trim_start().strip_prefix('#') {
            let title = title.trim_start_matches('#').trim();
            out.push_str(&format!("{}{}\n", " ".repeat(indent), style.bold(title)));
            continue;
        }
        let (mark, rest) = split_mark(line.trim());
        let hang = indent + width(mark);
        let body = wrap(&inline(rest, style), style.text_width(), hang);
        let body = if body.is_empty() { "\n".to_owned() } else { body };
        match mark {
            "" => out.push_str(&body),
            _ => out.push_str(&format!("{}{mark}{}", " ".repeat(indent), body.trim_start())),
        }
    }
    out
}

/// `1. `, `- ` and the rest.
fn split_mark(line: &str) -> (&str, &str) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && line[digits..].starts_with(". ") {
        return line.split_at(digits + 2);
    }
    if line.starts_with("- ") { line.split_at(2) } else { ("", line) }
}

fn inline(text: &str, style: Style) -> String {
    let mut out = String::new();
    // Between backticks nothing else is a mark; a backtick without a partner stays.
    let parts: Vec<&str> = text.split('`').collect();
    let last = parts.len() - 1;
    for (i, part) in parts.iter().enumerate() {
        if i % 2 == 1 && i < last {
            out.push_str(&style.key(part));
            continue;
        }
        if i % 2 == 1 {
            out.push('`');
        }
        let strong = between(part, "**", |t| style.bold(t));
        out.push_str(&between(&strong, "*", |t| style.bold(t)));
    }
    out
}

/// Replaces what stands between pairs of `mark`; a mark without a partner stays.
fn between(text: &str, mark: &str, show: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        match after.split_once(mark) {
            Some((inner, tail)) if !inner.is_empty() && !inner.starts_with(' ') => {
                out.push_str(before);
                out.push_str(&show(inner));
                rest = tail;
            }
            _ => {
                out.push_str(before);
                out.push_str(mark);
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hang_and_marks_go() {
        let text =
            "# Title\nFirst.\n1. Open the **Admin Console**: *Applications*, and put exactly `http://x/y`.\n- a * b\n";
        let shown = markdown(text, Style { width: 44, ..Style::PLAIN }, 2);
        assert_eq!(
            shown,
            "  Title\n  First.\n  1. Open the Admin Console: Applications,\n     and put exactly http://x/y.\n  - a * b\n"
        );
    }

    #[test]
    fn code_is_kept_as_it_is() {
        assert_eq!(markdown("```sh\na  b\n```\nc", Style::PLAIN, 0), "  a  b\nc\n");
    }
}
