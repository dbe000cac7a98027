//! `flowdeck explain CODE`: what an error means and what to do about it.
//!
//! Must never name a code without a page.
//! Tests: `crates/cli/src/commands/explain/tests.rs`.

mod pages;
#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::end::{End, usage};
use crate::out;
use crate::screen::markdown::markdown;
use pages::PAGES;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck explain not-connected
  flowdeck explain                     lists every code
  flowdeck explain --json | jq .code")]
pub(crate) struct Explain {
    /// The code, as an error shows it.
    code: Option<String>,
    /// One JSON object a line: code, title, and the page as Markdown where one is asked for.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(explain: &Explain) -> Result<End> {
    let Some(code) = &explain.code else {
        let width = PAGES.iter().map(|(code, _)| code.len()).max().unwrap_or(0) + 1;
        for (code, page) in PAGES {
            if explain.json {
                out::json(&json!({ "code": code, "title": title(page) }));
                continue;
            }
            out::text(&format!("{code:width$} {}\n", title(page)));
        }
        return Ok(End::Fine);
    };
    let wanted = code.trim().trim_matches(['[', ']', '`']);
    let Some((_, page)) = PAGES.iter().find(|(known, _)| *known == wanted) else {
        let like: Vec<&str> = PAGES.iter().map(|(c, _)| *c).filter(|c| c.contains(wanted)).take(5).collect();
        let near = if like.is_empty() { String::new() } else { format!("; near are {}", like.join(", ")) };
        bail!(usage(format!("there is no page for `{wanted}`{near}; `flowdeck explain` lists every code")));
    };
    if explain.json {
        out::json(&json!({ "code": wanted, "title": title(page), "page": page }));
    } else {
        out::text(&markdown(page, out::style(), 0));
    }
    Ok(End::Fine)
}

/// The page's first line, without the code.
fn title(page: &str) -> &str {
    let first = page.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
    first.split_once(": ").map_or(first, |(_, title)| title)
}
