//! What control cards take is checked when a flow is read: constants and references, each with place and remedy.
//!
//! Must never let a case pass that says nothing, nor one that says two things.

#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use std::fmt::Write as _;

/// What the cards of the tables below may refer to.
const TOP: &str = "flow: a
slots: { okta: { app: okta } }
inputs: { text: text, many: number, yes: boolean, day: date, thing: object, items: list, any: any }
cards:
  - { id: now, card: date/now }
  - { id: found, card: okta/listUsersWithFilter }
";

/// Fails where one of the cards is not wrong in exactly one way.
fn wrong(group: &str, cases: &[&str]) {
    let mut out = String::new();
    for case in cases {
        let lines = common::lines("f.yaml", &format!("{TOP}  - {case}\n"));
        assert_eq!(lines.len(), 1, "{case}: {lines:?}");
        assert!(lines[0].contains("error[") && lines[0].contains("; "), "no remedy: {lines:?}");
        writeln!(out, "{case}\n  {}\n", lines[0]).unwrap();
    }
    insta::assert_snapshot!(group, out);
}

fn right(cases: &[&str]) {
    for case in cases {
        let lines = common::lines("f.yaml", &format!("{TOP}  - {case}\n"));
        assert!(lines.is_empty(), "{case}: {lines:?}");
    }
}

#[test]
fn conditions() {
    wrong(
        "conditions",
        &[
            "continue_if: hello",
            "continue_if: [1]",
            "continue_if: { a: 1 }",
            "continue_if: \"${input.many} > 90\"",
            "continue_if: ${input.items}",
            "continue_if: ${input.thing}",
            "continue_if: ${input.day}",
            "continue_if: ${now}",
            "if: perhaps\n    then: []",
            "assign_if: hello\n    then: 1",
            "else_if: [{ when: hello }]",
            "while: hello\n    cards: []",
            "return_error: { message: No, when: hello }",
            "filter: ${input.items}\n    keep: hello",
            "filter: ${input.items}\n    keep: ${found.Users}",
        ],
    );
    right(&[
        "continue_if: true",
        "continue_if: \"False\"",
        "continue_if: 1",
        "continue_if: ${input.yes}",
        "continue_if: ${input.many}",
        "continue_if: ${input.text}",
        "continue_if: ${input.any}",
        "continue_if: ${input.any.deep}",
        "continue_if: ${input.many > 90}",
        "continue_if: \"${input.text}${input.any}\"",
        "filter: ${input.items}\n    as: it\n    keep: ${it}",
    ]);
}

#[test]
fn numbers_and_times() {
    wrong(
        "numbers_and_times",
        &[
            "times: three",
            "times: -1",
            "times: ${input.items}",
            "times: ${input.yes}",
            "times: ${now}",
            "wait: { for: \"${now}\" }",
            "wait: ${now.date}",
            "wait: ten minutes",
            "wait: { until: tomorrow }",
            "wait: { until: \"${input.items}\" }",
            "wait: { until: \"${now}\" }",
            "wait: { until: }",
            "wait: { signal: \"\" }",
            "wait: { signal: [a] }",
            "wait: { approval: \"${found.Users}\" }",
            "wait: { signal: go }\n    deadline: soon",
            "return_raw: { status: 20 }",
            "return_raw: { status: \"${input.items}\" }",
            "return_raw: { headers: [a] }",
            "return_error: { message: No, status: missing }",
            "return_error: ${input.thing}",
            "card: date/now\n    retry: { times: two }",
            "card: date/now\n    retry: { times: 2, pause: soon }",
            "card: date/now\n    retry: { times: 2, max: 5 }",
            "card: date/now\n    retry: { times: 2, pause: 10m }",
            "card: date/now\n    retry: { times: 2, pause: 90s, max: 1m }",
        ],
    );
    right(&[
        "times: 3",
        "times: \"3\"",
        "times: ${input.many}",
        "times: ${input.text}",
        "wait: 10m",
        "wait: ${input.many * 1000}",
        "wait: ${input.text}",
        "wait: \"${input.many}m\"",
        "card: date/now\n    retry: { times: 2, pause: 10m, max: 10m }",
        "wait: { for: \"${input.any}\" }",
        "wait: { until: 2026-01-31 }",
        "wait: { until: \"2026-01-31T09:30:00Z\" }",
        "wait: { until: \"${now.date}\" }",
        "wait: { until: \"${input.text}\" }",
        "wait: { signal: \"order-${input.many}\" }",
        "wait: { approval: \"All ${size(found.Users)}?\" }",
        "return_raw: { status: \"204\", headers: { a: b }, body: [1] }",
        "return_raw: { status: \"${input.many}\", headers: \"${input.thing}\" }",
        "return_error: ${input.text}",
    ]);
}

#[test]
fn lists_of_loops() {
    wrong(
        "lists_of_loops",
        &[
            "for_each: hello",
            "for_each: ${input.many}",
            "for_each: ${input.text}",
            "for_each: ${input.thing}",
            "for_each: ${found}",
            "map: ${found}\n    value: 1",
            "lookup: ${found.Users}\n    options: { a: 1 }",
        ],
    );
    right(&[
        "for_each: ${found.Users}",
        "for_each: ${input.any}",
        "for_each: [1]",
        "lookup: ${input.many}\n    options: {}",
    ]);
}

/// A flow that calls a helper with such inputs, and what is said of it.
fn call(with: &str) -> Vec<String> {
    let helper = "{ inputs: { name: text, many: number, on: date, all: list of text }, cards: [] }";
    common::lines("f.yaml", &format!("{TOP}  - {{ call_flow: b, with: {with} }}\nhelpers: {{ b: {helper} }}\n"))
}

#[test]
fn inputs_of_helpers() {
    let mut out = String::new();
    for with in [
        "{ name: \"${input.thing}\" }",
        "{ name: \"${found.Users}\" }",
        "{ name: { first: \"${input.text}\" } }",
        "{ name: { first: Ann } }",
        "{ name: \"${now}\" }",
        "{ many: several }",
        "{ many: \"${input.items}\" }",
        "{ on: someday }",
        "{ all: \"${input.many}\" }",
        "{ nmae: Ann }",
    ] {
        let lines = call(with);
        assert_eq!(lines.len(), 1, "{with}: {lines:?}");
        writeln!(out, "{with}\n  {}\n", lines[0]).unwrap();
    }
    insta::assert_snapshot!("inputs_of_helpers", out);
    for with in [
        "{ name: \"${input.many}\", many: \"${input.text}\", on: \"${now.date}\", all: [a] }",
        "{ name: \"${json(found.Users)}\", many: \"7\" }",
        "{ name: \"${input.any}\", many: \"${input.any}\", on: \"${input.any}\", all: \"${input.any}\" }",
    ] {
        assert!(call(with).is_empty(), "{with}: {:?}", call(with));
    }
}

/// A flow that declares outputs and gives these, and what is said of it.
fn given(cards: &str) -> Vec<String> {
    let outputs = "outputs: { name: { type: text, required: true }, many: number }\n";
    common::lines("f.yaml", &format!("{outputs}{TOP}{cards}\n"))
}

#[test]
fn what_a_flow_returns() {
    let mut out = String::new();
    for cards in [
        "  - return: { name: \"${input.thing}\" }",
        "  - return: { name: a, many: \"${input.items}\" }",
        "  - return: { name: a, many: several }",
        "  - return: { name: a, mayn: 1 }",
        "  - return: { many: 1 }",
        "  - for_each: [1]\n    cards:\n      - return: { name: a, many: true }",
    ] {
        let lines = given(cards);
        assert_eq!(lines.len(), 1, "{cards}: {lines:?}");
        writeln!(out, "{cards}\n  {}\n", lines[0]).unwrap();
    }
    insta::assert_snapshot!("what_a_flow_returns", out);
    for cards in [
        "  - return: { name: \"${input.many}\", many: \"${input.text}\" }",
        // Blocks return for themselves.
        "  - try:\n      - return: { other: 1 }\n    catch:\n      - return: { other: 2 }",
        "  - else_if:\n      - when: true\n        cards:\n          - return: { other: 1 }",
    ] {
        assert!(given(cards).is_empty(), "{cards}: {:?}", given(cards));
    }
    let none = common::lines("f.yaml", &format!("{TOP}  - return: {{ anything: \"${{now}}\" }}\n"));
    assert!(none.is_empty(), "a flow that declares nothing may return anything: {none:?}");
}
