//! Every sample flow and every example in the documents reads without errors, fits the schema, and is formatted.

#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use std::path::{Path, PathBuf};

use common::TestCatalogue;
use flowdeck_format::{Source, format_text, print, read, schema};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn samples() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("flows")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".flow.yaml") || name.ends_with(".flow.json") {
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(found.len() >= 4);
    let document = std::fs::read_to_string(root().join("docs/flow-files.md")).unwrap();
    let mut examples = 0;
    for (i, part) in document.split("```yaml\n").enumerate().skip(1) {
        let (text, _) = part.split_once("```").unwrap();
        let text = if text.starts_with("flow:") { text.to_string() } else { in_a_flow(text) };
        found.push((format!("flow-files.md example {i}.yaml"), text));
        examples += 1;
    }
    assert!(examples >= 11, "{examples}");
    found.sort();
    found
}

/// Examples of single cards are completed to a flow.
fn in_a_flow(cards: &str) -> String {
    let list =
        "- { id: active, card: okta/listUsersWithFilter, with: { status: ACTIVE } }\n- { id: now, card: date/now }\n";
    let mut text = "flow: example\nslots: { okta: { app: okta } }\ncards:\n".to_string();
    for line in list.lines().chain(cards.lines()) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("helpers:\n  describe:\n    inputs: { user: object }\n    outputs: { line: text }\n    cards:\n      - return: { line: \"${input.user.Login}\" }\n");
    text
}

#[test]
fn every_sample_reads_without_errors_or_warnings() {
    for (name, text) in samples() {
        let lines = common::lines(&name, &text);
        assert!(lines.is_empty(), "{}\n{text}", lines.join("\n"));
    }
}

#[test]
fn every_sample_fits_the_published_schema_and_so_does_its_printed_form() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (name, text) in samples() {
        let checked = read(&Source::new(&name, &text), Some(&TestCatalogue::new()));
        for flow in &checked.flows {
            let printed: Value = serde_json::from_str(&flowdeck_format::print_json(flow)).unwrap();
            let errors: Vec<_> =
                validator.iter_errors(&printed).map(|e| format!("{} {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
        }
        for value in flowdeck_format::values_of(&Source::new(&name, &text)) {
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| format!("{} {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
        }
    }
}

#[test]
fn the_schema_refuses_what_nobody_knows() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for wrong in [
        serde_json::json!({"flow": "a"}),
        serde_json::json!({"flow": "a", "cards": [{"card": "date/now", "wiht": {}}]}),
        serde_json::json!({"flow": "a", "cards": [{"if": true}]}),
        serde_json::json!({"flow": "a", "cards": [], "timeout": 5}),
        serde_json::json!({"flow": "a", "cards": [{"card": "date/now", "return": {}}]}),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn every_sample_flow_file_is_formatted_and_prints_to_the_same_flow() {
    for (name, text) in samples() {
        let source = Source::new(&name, &text);
        if !name.contains("example") {
            assert_eq!(format_text(&source).unwrap(), text, "{name} is not formatted");
        }
        let checked = read(&source, Some(&TestCatalogue::new()));
        for flow in &checked.flows {
            let again = read(&Source::new(&name, &print(flow)), Some(&TestCatalogue::new()));
            assert_eq!(again.flows, std::slice::from_ref(flow), "{name}");
        }
    }
}
