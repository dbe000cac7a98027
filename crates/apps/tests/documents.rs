//! The document's example is read, the schema takes every built-in file, and wrong files are told where they are wrong.
//!
//! Must never hold a copy of what the document shows.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use flowdeck_apps::{App, app_schema};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/app-files.md");
/// Every part of the catalogue that a person could take as an example: those written without parts.
fn built_in() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue");
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    files.filter(|p| p.to_string_lossy().ends_with(".app.yaml")).map(|p| std::fs::read_to_string(p).unwrap()).collect()
}

fn example() -> &'static str {
    DOCUMENT.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn the_example_is_an_app() {
    let app = App::read("tickets", example()).unwrap();
    let names: Vec<&str> = app.cards.iter().map(|card| card.name.as_str()).collect();
    assert_eq!(names, ["tickets/list", "tickets/create", "tickets/raw"]);
    assert!(app.auth.is_some());
    // The other samples are parts of a file.
    for part in DOCUMENT.split("```yaml\n").skip(2).map(|rest| rest.split("```").next().unwrap()) {
        App::read("part", &format!("app: part\ntitle: P\nsummary: P.\nversion: '1'\n{part}")).unwrap();
    }
}

#[test]
fn the_schema_takes_what_is_read_and_refuses_other_words() {
    let schema = jsonschema::validator_for(&app_schema()).unwrap();
    for text in built_in().iter().map(String::as_str).chain([example()]) {
        let file: Value = serde_saphyr::from_str(text).unwrap();
        let problems: Vec<String> = schema.iter_errors(&file).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
    for (from, to) in [
        ("title: Tickets", "titel: Tickets"),
        ("effect: observe", "effect: magic"),
        ("in_doubt: retry", "in_douht: retry"),
    ] {
        let file: Value = serde_saphyr::from_str(&example().replacen(from, to, 1)).unwrap();
        assert!(!schema.is_valid(&file), "{to}");
    }
}

/// `docs/apps.md` is written from the app files: `FLOWDECK_WRITE=1 cargo test -p flowdeck-apps --test suite documents::`.
#[test]
fn the_list_of_apps_is_that_of_the_catalogue() {
    let apps = flowdeck_apps::Apps::built_in(&indexmap::IndexMap::new()).unwrap();
    let mut text = String::from(
        "# The apps that come with flowdeck\n\nWritten from the app files in `crates/apps/catalogue`; a test compares. *Not confirmed* is what could not be checked\nagainst the vendor itself or its documentation; `flowdeck apps show NAME` says the same.\n\n| app | actions | events | events are | ways to authorize |\n|---|---|---|---|---|\n",
    );
    for app in apps.apps() {
        let methods = app.auth.iter().flat_map(|a| &a.methods).map(|m| m.title.as_str()).collect::<Vec<_>>();
        let ways = if methods.is_empty() { "none needed".to_owned() } else { methods.join(", ") };
        let (name, title) = (&app.file.app, &app.file.title);
        text.push_str(&format!(
            "| `{name}` {title} | {} | {} | {} | {ways} |\n",
            app.file.actions.len(),
            app.file.events.len(),
            app.arrival_words().join(", ")
        ));
    }
    text.push_str("\n## Not confirmed\n");
    for app in apps.apps().filter(|app| !app.file.unconfirmed.is_empty()) {
        text.push_str(&format!("\n**{}**\n", app.file.title));
        app.file.unconfirmed.iter().for_each(|words| text.push_str(&format!("- {words}\n")));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/apps.md");
    if std::env::var_os("FLOWDECK_WRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/apps.md is not what the app files say: run this test with FLOWDECK_WRITE=1");
}

#[test]
fn a_wrong_file_says_where_and_what() {
    let check = |from: &str, to: &str, expected: &[&str]| {
        let error = App::read("mine.app.yaml", &example().replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with("app file mine.app.yaml: "), "{error}");
        for words in expected {
            assert!(error.contains(words), "{words} is not in: {error}");
        }
    };
    check("effect: observe", "effect: magic", &["magic", "observe", "line"]);
    check("inputs:", "inptus:", &["inptus", "inputs"]);
    check("summary: Makes a ticket.", "", &["summary"]);
    check("${input.subject}", "${input.subject", &["action create", "json"]);
    check("output: tickets", "output: people", &["action list", "people"]);
    check("path: /tickets, json: {", "path: /tickets, text: x, json: {", &["one of"]);
    check("app: tickets", "app: 'no name'", &["app"]);
}
