//! Screens and commands in `docs/building-flows.md`.
//!
//! Must never leave in it what is different on each machine.
//! Tests: `crates/cli/tests/builder_terminal.rs`, `crates/cli/tests/builder_manual.rs`.

use std::path::PathBuf;

/// The page.
pub(crate) fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/building-flows.md"))
}

/// Whether the page is to be written, not held against.
pub(crate) fn is_update() -> bool {
    std::env::var("FLOWDECK_UPDATE").is_ok_and(|word| word == "1")
}

/// The page shows this screen between its marks; with `FLOWDECK_UPDATE=1` it is written there.
pub(crate) fn check(name: &str, screen: &str) {
    let (begin, end) = (format!("<!-- screen {name} -->\n```text\n"), "```\n");
    let page_text = std::fs::read_to_string(page()).unwrap();
    let (before, rest) = page_text.split_once(&begin).unwrap_or_else(|| panic!("the page has no mark `{begin}`"));
    let (shown, after) = rest.split_once(end).unwrap();
    // How many cards there are in all is not what the page is about.
    let total = regex::Regex::new(r"(?m)^(\d+ of )\d{3}; ").unwrap();
    let screen = total.replace(screen.trim_end(), "${1}…; ").into_owned() + "\n";
    if is_update() {
        std::fs::write(page(), format!("{before}{begin}{screen}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(shown, screen, "docs/building-flows.md shows another screen; FLOWDECK_UPDATE=1 records it again");
}
