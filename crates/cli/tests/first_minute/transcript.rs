//! The recorded first minute in `README.md`.
//!
//! Must never leave in it what is different on each machine: times, ports, ids.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::path::Path;

use regex::Regex;

const BEGIN: &str = "<!-- first minute: recorded by crates/cli/tests/first_minute.rs -->\n```text\n";
const END: &str = "```\n<!-- end of the first minute -->\n";

/// A screen with stable words for what changes from run to run.
pub(crate) fn stable(screen: &str) -> String {
    let rules = [
        (r"\b(run|prm|con|att)_[0-9a-z]{26}\b", "${1}_…"),
        (r"(http://127\.0\.0\.1:)\d+(/oauth/authorize\?)\S+", "${1}PORT${2}…"),
        (r", \d+(\.\d)? (ms|s|min), run_", ", … s, run_"),
    ];
    let mut text = screen.to_owned();
    for (pattern, word) in rules {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    // The last column of a card stays a column.
    let took = Regex::new(r"(?m) +\d+(\.\d)? (ms|s|min)$").unwrap();
    took.replace_all(&text, |found: &regex::Captures<'_>| format!("{:>1$}", "… ms", found[0].len())).into_owned()
}

/// The README holds this transcript; with `FLOWDECK_UPDATE=1` it is written there.
pub(crate) fn check(screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README marks where the first minute begins");
    let (recorded, after) = rest.split_once(END).expect("the README marks where the first minute ends");
    if std::env::var("FLOWDECK_UPDATE").is_ok_and(|word| word == "1") {
        std::fs::write(&path, format!("{before}{BEGIN}{screen}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(recorded, screen, "README.md shows another first minute; FLOWDECK_UPDATE=1 records it again");
}
