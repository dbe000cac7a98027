//! The help of an app's form, which is Markdown, as a page shows it.
//!
//! Must never pass on HTML, a picture, or a link to anything but the web.
//! Tests: below.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::html::escaped;

/// Longest text that is shown, in bytes; help is a few paragraphs.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// The text as HTML. What the table below does not name is shown as plain text.
pub(super) fn rendered(text: &str) -> String {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let mut out = String::new();
    // How each open link ends: one that does not lead to the web is plain text.
    let mut links: Vec<&str> = Vec::new();
    for event in Parser::new(&lists_apart(&text[..end])) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                let is_web = dest_url.starts_with("https://") || dest_url.starts_with("http://");
                if is_web {
                    out.push_str(&format!("<a href=\"{}\" rel=\"noreferrer\">", escaped(&dest_url)));
                }
                links.push(if is_web { "</a>" } else { "" });
            }
            Event::End(TagEnd::Link) => out.push_str(links.pop().unwrap_or_default()),
            Event::Start(Tag::List(Some(first))) if first != 1 => out.push_str(&format!("<ol start=\"{first}\">\n")),
            Event::Start(tag) => out.push_str(opened(&tag)),
            Event::End(tag) => out.push_str(closed(tag)),
            Event::Code(code) => out.push_str(&format!("<code>{}</code>", escaped(&code))),
            Event::SoftBreak => out.push('\n'),
            Event::HardBreak => out.push_str("<br>\n"),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => out.push_str(&escaped(&text)),
            _ => {}
        }
    }
    out
}

/// Help counts its steps on after a line between them: by the rules of Markdown only a first step begins a list there.
fn lists_apart(text: &str) -> String {
    let is_step = |line: &str| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < line.len() && rest.starts_with(". ")
    };
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = "";
    for line in text.lines() {
        let is_apart = before.is_empty() || before.starts_with(char::is_whitespace) || is_step(before);
        if is_step(line) && !is_apart {
            out.push('\n');
        }
        out.push_str(line);
        out.push('\n');
        before = line;
    }
    out
}

fn opened(tag: &Tag<'_>) -> &'static str {
    match tag {
        Tag::Paragraph => "<p>",
        Tag::Heading { .. } => "<p><strong>",
        Tag::BlockQuote(_) => "<blockquote>\n",
        Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => "<pre><code>",
        Tag::List(Some(_)) => "<ol>\n",
        Tag::List(None) => "<ul>\n",
        Tag::Item => "<li>",
        Tag::Emphasis => "<em>",
        Tag::Strong => "<strong>",
        _ => "",
    }
}

fn closed(tag: TagEnd) -> &'static str {
    match tag {
        TagEnd::Paragraph => "</p>\n",
        TagEnd::Heading(_) => "</strong></p>\n",
        TagEnd::BlockQuote(_) => "</blockquote>\n",
        TagEnd::CodeBlock => "</code></pre>\n",
        TagEnd::List(true) => "</ol>\n",
        TagEnd::List(false) => "</ul>\n",
        TagEnd::Item => "</li>\n",
        TagEnd::Emphasis => "</em>",
        TagEnd::Strong => "</strong>",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_emphasis_code_and_links_are_shown_as_such() {
        let shown = rendered(
            "1. Open *Users*, **Service users**.\n2. Run `curl -d '{}' <x>`.\n\nSee [there](https://a.example/?b&c).",
        );
        for part in [
            "<ol>\n<li>Open <em>Users</em>, <strong>Service users</strong>.</li>",
            "<code>curl -d &#39;{}&#39; &lt;x&gt;</code>",
            "<p>See <a href=\"https://a.example/?b&amp;c\" rel=\"noreferrer\">there</a>.</p>",
        ] {
            assert!(shown.contains(part), "{part} is missing: {shown}");
        }
    }

    #[test]
    fn steps_go_on_counting_after_a_line_between_them() {
        let shown = rendered("1. One.\n2. Two.\n\n**Then**\n3. Three.\n4. Four.");
        assert!(shown.contains("<p><strong>Then</strong></p>\n<ol start=\"3\">\n<li>Three.</li>"), "{shown}");
    }

    #[test]
    fn nothing_else_gets_through() {
        for text in [
            "<script>x</script>",
            "a <img src=x onerror=y> b",
            "[a](javascript:alert(1))",
            "[a](data:text/html,x)",
            "![a](https://a.example/x.png)",
            "<javascript:x>",
            "<p onclick=x>\n\nb",
        ] {
            let shown = rendered(text);
            for foreign in ["<script", "<img", "<p onclick", "href"] {
                assert!(!shown.contains(foreign), "{text}: {shown}");
            }
        }
        assert!(rendered(&"\u{e9}".repeat(TEXT_BYTES_MAX)).len() < TEXT_BYTES_MAX + 20);
    }
}
