//! Golden diagnostics: wrong files, each with what `flowdeck check` says of it.
//!
//! One snapshot a group; a case is a name, the file, and the lines it gives. A case without any line fails.

#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use std::fmt::Write as _;

const TOP: &str = "flow: a\nslots: { okta: { app: okta } }\ncards:\n";

/// Checks wrong files and compares what is said with the snapshot.
fn check(group: &str, cases: &[(&str, &str)]) {
    let mut out = String::new();
    for (name, text) in cases {
        let lines = common::lines("f.yaml", text);
        assert!(!lines.is_empty(), "nothing was said about: {name}\n{text}");
        writeln!(out, "{name}\n  {}\n", lines.join("\n  ")).unwrap();
    }
    insta::assert_snapshot!(group, out);
}

/// The same for cards in a flow with a slot `okta`.
fn check_cards(group: &str, cases: &[(&str, &str)]) {
    let texts: Vec<_> = cases.iter().map(|(name, cards)| (*name, format!("{TOP}{cards}"))).collect();
    let cases: Vec<_> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    check(group, &cases);
}

#[test]
fn wrong_syntax_is_explained() {
    check(
        "syntax",
        &[
            ("an empty file", ""),
            ("a list", "- a"),
            ("a broken bracket", "flow: [a"),
            ("a tab", "flow: a\ncards:\n\t- wait: 1s"),
            ("a duplicate key", "flow: a\ncards: []\nflow: b"),
            ("an anchor", "flow: &a b\ncards: []"),
            ("a tag", "flow: !!str a\ncards: []"),
            ("a merge", "<<: {}\nflow: a"),
            ("leading zeros", "flow: a\ndescription: 007\ncards: []"),
            ("a large number", "flow: a\ncards:\n  - return: { a: 99999999999999999999 }"),
            ("two flows of one name", "flow: a\ncards: []\n---\nflow: a\ncards: []"),
        ],
    );
}

#[test]
fn wrong_flow_keys_are_explained() {
    check(
        "flow_keys",
        &[
            ("no name", "cards: []"),
            ("no cards", "flow: a"),
            ("a bad name", "flow: a b\ncards: []"),
            ("a misspelt key", "flow: a\ncrads: []\ncards: []"),
            ("cards as a map", "flow: a\ncards: { card: date/now }"),
            ("a number as description", "flow: a\ndescription: 12\ncards: []"),
            ("a bare number as timeout", "flow: a\ntimeout: 90\ncards: []"),
            ("a wrong unit", "flow: a\nwait: 3 weeks\ncards: []"),
            ("a word for keep_data", "flow: a\nkeep_data: no\ncards: []"),
            ("a wrong word", "flow: a\nwhen_not_connected: stop\ncards: []"),
            ("an unknown type", "flow: a\ninputs: { a: strng }\ncards: []"),
            ("fields of a text", "flow: a\ninputs: { a: { type: text, fields: { b: text } } }\ncards: []"),
            ("a slot without app", "flow: a\nslots: { x: { nickname: y } }\ncards: []"),
            ("a bad slot name", "flow: a\nslots: { My-Slot: okta }\ncards: []"),
            ("nothing starts it", "flow: a\non: {}\ncards: []"),
            ("two starts", "flow: a\non: { card: okta/userCreated, schedule: { cron: \"0 9 * * *\" } }\ncards: []"),
            ("a wrong method", "flow: a\non: { endpoint: { methods: [FETCH] } }\ncards: []"),
            ("a negative limit", "flow: a\nlimits: { date/now: -1 }\ncards: []"),
            ("a helper with a start", "flow: a\ncards: []\nhelpers: { b: { on: manual, cards: [] } }"),
            ("a wrong column type", "flow: a\ntables: { T: { C: varchar } }\ncards: []"),
        ],
    );
}

#[test]
fn wrong_cards_are_explained() {
    check_cards(
        "cards",
        &[
            ("no kind", "  - id: x"),
            ("a misspelt kind", "  - for_eahc: ${input.x}"),
            ("two kinds", "  - card: date/now\n    wait: 1s"),
            ("a misspelt card key", "  - card: date/now\n    wiht: {}"),
            ("a key of another kind", "  - wait: 1s\n    retry: { times: 2 }"),
            ("a bad id", "  - id: My Id\n    wait: 1s"),
            ("a duplicate id", "  - id: a\n    wait: 1s\n  - id: a\n    wait: 1s"),
            ("an if without then", "  - if: true"),
            ("a filter without keep", "  - filter: []"),
            ("a retry without times", "  - card: date/now\n    retry: { pause: 1s }"),
            ("a retry factor below one", "  - card: date/now\n    retry: { times: 2, factor: 0.5 }"),
            ("too much at once", "  - for_each: []\n    concurrency: 1000"),
            ("a bare number as wait", "  - wait: 10"),
            ("a wait for two things", "  - wait: { signal: a, until: b }"),
            ("a branch that is no list", "  - else_if: { when: true }"),
            ("a text as with", "  - card: date/now\n    with: hello"),
            ("a card name without a family", "  - card: now"),
            ("an unclosed mapping", "  - return: { a: \"x ${b\" }"),
            ("an expression that cannot be read", "  - continue_if: ${1 +}"),
        ],
    );
}

#[test]
fn what_the_catalogue_does_not_know_is_explained() {
    check_cards(
        "catalogue",
        &[
            ("a misspelt card", "  - card: okta/suspenduser\n    with: { id: a }"),
            ("a card without its family", "  - card: x/suspendUser\n    slot: okta\n    with: { id: a }"),
            ("a misspelt field", "  - card: okta/readUser\n    with: { ID or Lgin: a }"),
            ("a missing field", "  - card: okta/readUser"),
            ("a misspelt slot", "  - card: okta/readUser\n    slot: otka\n    with: { ID or Login: a }"),
            ("a slot of another app", "  - card: playground/listPeople\n    slot: okta"),
            ("no slot", "  - card: playground/listPeople"),
            ("a slot for a function", "  - card: date/now\n    slot: okta"),
            ("an event inside", "  - card: okta/userCreated"),
            ("a choice", "  - card: date/add\n    with: { start: 2026-01-31, scale: 1, unit: dayz }"),
            ("a text for a number", "  - card: date/add\n    with: { start: 2026-01-31, scale: many, unit: days }"),
            ("a text that is no date", "  - card: date/add\n    with: { start: yesterday, scale: 1, unit: days }"),
            ("a number for a list", "  - card: list/length\n    with: { list: 5 }"),
            ("a secret in the file", "  - card: crypto/hmac\n    with: { text: a, key: correct-horse-battery }"),
            (
                "a token anywhere",
                "  - card: string/compose\n    with: { a: \"Bearer ghp_abcdefghijklmnopqrst0123456789\" }",
            ),
            ("an unknown helper", "  - call_flow: helpme"),
            ("pages of a card without", "  - for_each: { pages: { card: date/now } }"),
            ("a loop over a number", "  - for_each: 5"),
        ],
    );
}

#[test]
fn wrong_references_are_explained() {
    check_cards(
        "references",
        &[
            ("a misspelt card id", "  - id: now\n    card: date/now\n  - return: { a: \"${noww.date}\" }"),
            ("a misspelt output", "  - id: now\n    card: date/now\n  - return: { a: \"${now.dat}\" }"),
            ("an input that is not there", "  - return: { a: \"${input.days}\" }"),
            (
                "a later card",
                "  - return_error: { message: \"${now.date}\", when: true }\n  - id: now\n    card: date/now",
            ),
            (
                "a card in a lane",
                "  - if: true\n    id: check\n    then:\n      - id: now\n        card: date/now\n  - return: { a: \"${now.date}\" }",
            ),
            (
                "a card in a loop",
                "  - id: each\n    for_each: [1]\n    cards:\n      - id: now\n        card: date/now\n  - return: { a: \"${now.date}\" }",
            ),
            (
                "a loop from inside",
                "  - id: each\n    for_each: [1]\n    cards:\n      - return: { a: \"${each.count}\" }",
            ),
            ("a loop's name outside", "  - for_each: [1]\n    as: number\n  - return: { a: \"${number}\" }"),
            ("a name in an expression", "  - continue_if: ${idle.days > 90}"),
            ("a key of a list", "  - id: u\n    card: okta/listUsersWithFilter\n  - return: { a: \"${u.Users.ID}\" }"),
            (
                "a key of a number",
                "  - id: n\n    card: list/length\n    with: { list: [] }\n  - return: { a: \"${n.length.x}\" }",
            ),
            (
                "an unknown part",
                "  - id: u\n    card: okta/listUsersWithFilter\n  - return: { a: \"${u.Users[0].Lgin}\" }",
            ),
            (
                "a list for a text",
                "  - id: u\n    card: okta/listUsersWithFilter\n  - card: okta/readUser\n    with: { ID or Login: \"${u.Users}\" }\n  - card: list/length\n    with: { list: \"${u.Users[0].ID}\" }",
            ),
            ("a reserved name", "  - id: input\n    wait: 1s"),
            ("a name that is taken", "  - id: user\n    wait: 1s\n  - for_each: [1]\n    as: user"),
            ("after the end", "  - return: {}\n  - wait: 1s"),
            (
                "after both ends",
                "  - if: true\n    then:\n      - return: {}\n    else:\n      - return_error: no\n  - wait: 1s",
            ),
        ],
    );
}

#[test]
fn wrong_flows_are_explained() {
    check(
        "flows",
        &[
            ("a misspelt app", "flow: a\nslots: { o: otka }\ncards: []"),
            ("an unused slot", "flow: a\nslots: { o: okta }\ncards: []"),
            ("a bad cron", "flow: a\non: { schedule: { cron: \"0 25 * * *\" } }\ncards: []"),
            ("a short cron", "flow: a\non: { schedule: { cron: daily } }\ncards: []"),
            (
                "an unknown time zone",
                "flow: a\non: { schedule: { cron: \"0 9 * * *\", timezone: Europe/Berlim } }\ncards: []",
            ),
            (
                "an action as a start",
                "flow: a\nslots: { o: okta }\non: { card: okta/readUser, with: { ID or Login: a } }\ncards: []",
            ),
            ("a misspelt event", "flow: a\nslots: { o: okta }\non: { card: okta/userCreatd, slot: o }\ncards: []"),
            ("an unused limit", "flow: a\nlimits: { date/now: 1 }\ncards: []"),
            ("a secret default", "flow: a\ninputs: { key: { type: text, secret: true, default: abc } }\ncards: []"),
            ("a helper that calls itself", "flow: a\ncards: []\nhelpers: { b: { cards: [{ call_flow: b }] } }"),
            (
                "helpers in a circle",
                "flow: a\ncards: []\nhelpers:\n  b: { cards: [{ call_flow: c }] }\n  c: { cards: [{ call_flow: b }] }",
            ),
            (
                "a helper's missing input",
                "flow: a\ncards: [{ call_flow: b, with: { m: 1 } }]\nhelpers: { b: { inputs: { n: { type: number, required: true } }, cards: [] } }",
            ),
        ],
    );
}

#[test]
fn a_required_input_is_asked_for_unless_it_has_a_default() {
    for (field, with, missing) in [
        ("{ type: number, required: true }", "{}", true),
        ("{ type: number, required: true }", "{ n: null }", true),
        ("{ type: number, required: true }", "{ n: 1 }", false),
        ("{ type: number, required: true, default: 7 }", "{}", false),
        ("{ type: number, required: true, default: 7 }", "{ n: null }", false),
        ("{ type: number }", "{}", false),
    ] {
        let text = format!(
            "flow: a\ncards: [{{ call_flow: b, with: {with} }}]\nhelpers: {{ b: {{ inputs: {{ n: {field} }}, cards: [] }} }}"
        );
        let lines = common::lines("f.yaml", &text);
        assert_eq!(lines.iter().any(|l| l.contains("missing-field")), missing, "{field} {with}: {lines:?}");
        assert_eq!(lines.len(), usize::from(missing), "{field} {with}: {lines:?}");
    }
}

#[test]
fn a_diagnostic_shows_file_line_column_excerpt_and_remedy() {
    let text = format!("{TOP}  - id: gone\n    card: okta/suspenduser\n    with: {{ id: a }}\n");
    let source = flowdeck_format::Source::new("flows/gone.flow.yaml", &text);
    let checked = flowdeck_format::read(&source, Some(&common::TestCatalogue::new()));
    insta::assert_snapshot!("rendered", checked.diagnostics[0].render(&source, false));
    insta::assert_json_snapshot!("json", checked.diagnostics[0].to_json());
}

#[test]
fn json_files_are_checked_like_yaml() {
    let lines = common::lines("f.json", "{\"flow\": \"a\", \"cards\": [{\"card\": \"date/now\", \"wiht\": {}}]}");
    assert_eq!(lines, ["f.json:1:46: error[unknown-key]: `wiht` is not known here; did you mean `with`?"]);
    assert!(common::lines("f.json", "{\"flow\": \"a\", // no\n \"cards\": []}")[0].contains("bad-json"));
}

#[test]
fn without_a_catalogue_only_the_syntax_is_checked() {
    let source = flowdeck_format::Source::new(
        "a.yaml",
        "flow: a\ncards: [{ card: no/such, slot: none, with: { a: \"${b.c}\" } }]",
    );
    assert!(flowdeck_format::read(&source, None).diagnostics.is_empty());
}
