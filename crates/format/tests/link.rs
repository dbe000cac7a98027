//! Helpers in files of their own: found, read, checked, and what is said where that fails.
//!
//! Must never touch the disk: the files are in a table.

#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use flowdeck_format::{Checked, Source, print, read, read_with};

const MAIN: &str = "\
flow: main
cards:
  - id: greeting
    call_flow: greet
    with: { name: Ada }
  - return: { text: \"${greeting.text}\" }
helpers:
  greet: { file: lib/greet.flow.yaml }
";
const GREET: &str = "\
flow: greet-someone
inputs: { name: { type: text, required: true } }
outputs: { text: text }
cards:
  - id: line
    call_flow: shout
    with: { name: \"${input.name}\" }
  - return: { text: \"${line.text}\" }
helpers:
  shout: { file: ../shout.flow.yaml, flow: shout }
";
const SHOUT: &str = "\
flow: whisper
cards: []
---
flow: shout
inputs: { name: text }
cards:
  - return: { text: \"HELLO ${input.name}\" }
";

fn check(files: &[(&str, &str)]) -> Checked {
    let (name, text) = files[0];
    let load = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(name, text)| Source::new(name, text)).ok_or_else(|| "no such file".to_string())
    };
    read_with(&Source::new(name, text), Some(&common::TestCatalogue::new()), &load)
}

fn said(files: &[(&str, &str)]) -> String {
    let checked = check(files);
    checked.diagnostics.iter().map(|d| d.line_text("main.flow.yaml")).collect::<Vec<_>>().join("\n")
}

#[test]
fn helpers_of_other_files_become_helpers_of_the_flow() {
    let files = [("f/main.flow.yaml", MAIN), ("f/lib/greet.flow.yaml", GREET), ("f/shout.flow.yaml", SHOUT)];
    let checked = check(&files);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let flow = &checked.flows[0];
    let names: Vec<_> = flow.helpers.iter().map(|(name, helper)| (name.as_str(), helper.name.as_str())).collect();
    assert_eq!(names, [("greet", "greet"), ("shout", "shout")]);
    // Printed, it stands alone and means the same.
    let again = read(&Source::new("x.yaml", &print(flow)), Some(&common::TestCatalogue::new()));
    assert_eq!(again.flows, checked.flows);
}

#[test]
fn what_cannot_be_linked_is_explained_at_its_place() {
    let loops = GREET.replace("../shout.flow.yaml, flow: shout", "../main.flow.yaml");
    let clash = MAIN.replace("helpers:\n", "helpers:\n  shout:\n    cards:\n      - return: { text: mine }\n");
    let cases = [
        ("a missing file", said(&[("main.flow.yaml", MAIN)])),
        ("one file alone", {
            let checked = read(&Source::new("main.flow.yaml", MAIN), None);
            checked.diagnostics.iter().map(|d| d.line_text("main.flow.yaml")).collect::<Vec<_>>().join("\n")
        }),
        ("a file with errors", said(&[("main.flow.yaml", MAIN), ("lib/greet.flow.yaml", "flow: x\ncrads: []")])),
        ("several flows", said(&[("main.flow.yaml", MAIN), ("lib/greet.flow.yaml", SHOUT)])),
        ("a circle", said(&[("main.flow.yaml", MAIN), ("lib/greet.flow.yaml", &loops)])),
        (
            "two of a name",
            said(&[("main.flow.yaml", &clash), ("lib/greet.flow.yaml", GREET), ("shout.flow.yaml", SHOUT)]),
        ),
        ("an absolute path", said(&[("main.flow.yaml", &MAIN.replace("lib/", "/lib/"))])),
        ("a missing input", {
            let bare = MAIN.replace("    with: { name: Ada }\n", "");
            said(&[("main.flow.yaml", &bare), ("lib/greet.flow.yaml", GREET), ("shout.flow.yaml", SHOUT)])
        }),
    ];
    let mut out = String::new();
    for (name, lines) in cases {
        assert!(!lines.is_empty(), "nothing was said about: {name}");
        out.push_str(&format!("{name}\n  {}\n\n", lines.replace('\n', "\n  ")));
    }
    insta::assert_snapshot!("links", out);
}

#[test]
fn a_chain_of_files_ends() {
    let load = |path: &str| {
        let next = format!("x{path}");
        let text = format!("flow: f\ncards: []\nhelpers:\n  h{}: {{ file: {next} }}\n", path.len());
        Ok(Source::new(path, &text))
    };
    let checked = read_with(&Source::new("a", "flow: a\ncards: []\nhelpers: { h: { file: b } }"), None, &load);
    assert!(checked.diagnostics[0].message.contains("8 deep"), "{:?}", checked.diagnostics);
}
