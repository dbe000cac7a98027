//! Every code that a person can meet has a page, and every page a code.
//!
//! Must never be satisfied by an empty page.
//! Tests: this is the test.

use std::collections::BTreeSet;

use flowdeck::model::FaultCode;

use super::pages::PAGES;
use super::title;

fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn pages_and_files_are_the_same() {
    let files: BTreeSet<String> = std::fs::read_dir(root().join("docs/errors"))
        .unwrap()
        .map(|f| f.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned())
        .collect();
    let pages: BTreeSet<String> = PAGES.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(files, pages);
    assert!(PAGES.is_sorted_by_key(|(code, _)| *code));
}

#[test]
fn every_fault_has_a_page_that_says_what_to_do() {
    for code in FaultCode::ALL {
        assert!(PAGES.iter().any(|(known, _)| *known == code.as_str()), "{}", code.as_str());
    }
    for (code, page) in PAGES {
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        assert!(page.contains("## What to do"), "{code}");
        assert!(!title(page).is_empty());
    }
}

/// Codes as they stand in the source of crates: `Self::X => "code"` of errors, `error("code", …)` of findings.
fn codes_have_pages(parts: &[&str], pattern: &str) -> usize {
    let known: BTreeSet<&str> = PAGES.iter().map(|(code, _)| *code).collect();
    let pattern = regex::Regex::new(pattern).unwrap();
    let mut seen = BTreeSet::new();
    for part in parts {
        let mut folders = vec![root().join("crates").join(part).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                    continue;
                }
                let text = std::fs::read_to_string(&entry).unwrap();
                // The names of sealed tokens look like codes.
                let codes = pattern.captures_iter(&text).map(|c| c.get(1).unwrap().as_str());
                for code in codes.filter(|c| !matches!(*c, "oauth.access" | "oauth.refresh")) {
                    assert!(known.contains(code), "{}: {code} has no page in docs/errors", entry.display());
                    seen.insert(code.to_owned());
                }
            }
        }
    }
    seen.len()
}

#[test]
fn every_code_in_the_sources_has_a_page() {
    let dotted = r#""((?:connect|egress|store|flow|run|runtime|app|key|table|oauth|http|people|session|endpoint|serve)[.][a-z_]+)""#;
    let seen = codes_have_pages(&["connections", "egress", "flowdeck", "format", "server"], dotted);
    assert!(seen > 40, "only {seen} codes were found: the pattern no longer fits the sources");
    let found = r#"(?:(?:error|error_with|warning|problem)|Err\(|ok_or\()\(\s*"([a-z]+(?:-[a-z]+)+)""#;
    let seen = codes_have_pages(&["format"], found);
    assert!(seen > 40, "only {seen} codes were found: the pattern no longer fits the sources");
}
