//! The real binary on real files: check, fmt, schema, apps, and their exit codes.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn flowdeck(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowdeck")).args(arguments).output().unwrap()
}

const GOOD: &str = "\
# who is there
flow: people
slots:
  playground: { app: playground }
cards:
  - id: list
    card: playground/listPeople
    slot: playground
    with: { status: active }
  - return: { people: \"${list.people}\" }
";

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".flow.yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_good_file_passes_and_a_wrong_one_says_where() {
    let good = file(GOOD);
    let out = flowdeck(&["check", good.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));

    let wrong = file(&GOOD.replace("listPeople", "listPeeple"));
    let out = flowdeck(&["check", "--json", wrong.path().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(65), "{text}");
    assert!(text.contains("listPeople") && text.contains("\"line\":7"), "{text}");
}

#[test]
fn cards_in_lanes_and_helpers_are_counted_too() {
    let lanes = "flow: a\ncards:\n  - id: choose\n    if: ${true}\n    then:\n      - { id: now, card: date/now }\n      \
                 - { id: call, call_flow: other }\n    else:\n      - return: {}\n\
                 helpers:\n  other:\n    cards:\n      - return: { x: 1 }\n";
    let lanes = file(lanes);
    let out = flowdeck(&["check", lanes.path().to_str().unwrap()]);
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(text.contains("1 flow, 5 cards, no errors"), "{text}");
}

#[test]
fn fmt_keeps_comments_and_is_idempotent() {
    let good = file(GOOD);
    let path = good.path().to_str().unwrap();
    assert!(flowdeck(&["fmt", "--write", path]).status.success());
    let once = std::fs::read_to_string(good.path()).unwrap();
    assert!(once.contains("# who is there"));
    assert!(flowdeck(&["fmt", "--check", path]).status.success());
}

#[test]
fn apps_and_schema_can_be_looked_at() {
    let list = flowdeck(&["apps", "list"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("okta"));
    let show = flowdeck(&["apps", "show", "okta"]);
    let shown = String::from_utf8_lossy(&show.stdout);
    for words in ["Client ID", "Sign On", "http://127.0.0.1:8917/oauth/callback/okta"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("{redirect_uri}") && !shown.contains("{scopes}"), "{shown}");
    assert_eq!(flowdeck(&["apps", "show", "nothing"]).status.code(), Some(2));
    // The one app without a file is an app like any other.
    let listed = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(listed.lines().any(|line| line.starts_with("tables ")), "{listed}");
    let tables = String::from_utf8_lossy(&flowdeck(&["apps", "show", "tables"]).stdout).into_owned();
    for words in ["tables/search", "tables/upsert", "needs no connection", "`flowdeck tables`"] {
        assert!(tables.contains(words), "{words}: {tables}");
    }
    let json = flowdeck(&["apps", "show", "tables", "--json"]);
    let tables: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(tables["app"]["cards"].as_u64(), tables["cards"].as_array().map(|cards| cards.len() as u64));
    let schema: serde_json::Value = serde_json::from_slice(&flowdeck(&["schema"]).stdout).unwrap();
    assert!(schema["$schema"].is_string());
    assert_eq!(flowdeck(&["no-such-command"]).status.code(), Some(2));
}

#[test]
fn a_card_shows_the_page_of_the_reference() {
    let page = String::from_utf8_lossy(&flowdeck(&["cards", "show", "string/compose"]).stdout).into_owned();
    for part in
        ["Compose `string/compose`", "Inputs", "_text_", "Examples", "What does Compose write for null? Nothing."]
    {
        assert!(page.contains(part), "`{part}` is missing:\n{page}");
    }
    assert_eq!(flowdeck(&["cards", "show", "string/composed"]).status.code(), Some(2));
}

#[test]
fn helpers_in_files_of_their_own_are_found_beside_the_flow() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("main.flow.yaml");
    let calls = "flow: main\ncards:\n  - id: a\n    call_flow: greet\n    with: { name: Ada }\nhelpers: { greet: { file: lib/greet.flow.yaml } }\n";
    std::fs::write(&main, calls).unwrap();
    let out = flowdeck(&["check", main.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(65), "{text}");
    assert!(text.contains("lib/greet.flow.yaml") && text.contains("No such file"), "{text}");

    std::fs::create_dir(folder.path().join("lib")).unwrap();
    let greet = "flow: greet\ninputs: { name: text }\ncards:\n  - return: { text: \"Hello ${input.name}\" }\n";
    std::fs::write(folder.path().join("lib/greet.flow.yaml"), greet).unwrap();
    let out = flowdeck(&["check", main.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn whoever_reads_an_error_may_go_away() {
    let wrong = file("a: b\n- c\n");
    for command in ["run", "check", "fmt", "test"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut flowdeck = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        let ended = flowdeck.arg(command).arg(wrong.path()).stderr(writer).status().unwrap();
        assert_eq!(ended.code(), Some(65), "{command}");
    }
}

#[test]
fn a_file_that_cannot_be_read_keeps_no_other_from_being_looked_at() {
    let (good, wrong) = (file(GOOD), file("flow: x\ncards: 1\n"));
    let (good, wrong) = (good.path().to_str().unwrap(), wrong.path().to_str().unwrap());
    let out = flowdeck(&["check", "no-such.yaml", good, wrong]);
    let (text, err) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(65), "{err}");
    assert!(err.contains("no-such.yaml: No such file") && err.contains(wrong) && text.contains(good), "{text}{err}");
    let out = flowdeck(&["check", "--json", "no-such.yaml", good]);
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((line["file"].as_str(), line["severity"].as_str()), (Some("no-such.yaml"), Some("error")), "{line}");
    let out = flowdeck(&["fmt", "no-such.yaml", good]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("flow: people"));
    assert_eq!(out.status.code(), Some(65));
}

#[test]
fn a_file_that_is_no_utf8_is_shown_where_it_is_wrong() {
    let latin = file(GOOD);
    let bytes = GOOD.replace("who is there", "caf\u{1}").into_bytes();
    let bytes: Vec<u8> = bytes.into_iter().map(|byte| if byte == 1 { 0xe9 } else { byte }).collect();
    std::fs::write(latin.path(), bytes).unwrap();
    let path = latin.path().to_str().unwrap();
    for command in ["check", "run", "fmt"] {
        let out = flowdeck(&[command, path]);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(65), "{err}");
        for words in ["not-utf8", "byte 5 of the file (0xE9)", ":1:6]", "# caf\u{fffd}", "save the file as UTF-8"] {
            assert!(err.contains(words), "{command}: {words} is missing in:\n{err}");
        }
    }
    let out = flowdeck(&["check", "--json", path]);
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&line["code"], &line["line"], &line["column"]), (&"not-utf8".into(), &1.into(), &6.into()), "{line}");
}

#[test]
fn a_file_without_a_test_is_no_passed_test() {
    let empty = tempfile::Builder::new().suffix(".test.yaml").tempfile().unwrap();
    let out = flowdeck(&["test", empty.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(65), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(String::from_utf8_lossy(&out.stderr).contains("holds no test"));
}
