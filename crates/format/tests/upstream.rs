//! What a card can refer to where it stands.
//!
//! Must never differ from what the check takes: each name is tried.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::common;

use common::TestCatalogue;
use flowdeck_format::{Source, alone, read, read_upstream};
use flowdeck_model::{CardId, FlowName};

const FLOW: &str = "\
flow: a
slots: { okta: okta }
inputs: { days: number }
cards:
  - id: active
    card: okta/listUsersWithFilter
  - id: each
    for_each: ${active.Users}
    as: user
    index: position
    cards:
      - id: inner
        card: date/now
      - id: here
        card: date/now
  - id: safe
    try:
      - id: tried
        card: date/now
    catch:
      - id: caught
        call_flow: h
  - id: last
    card: date/now
helpers:
  h:
    inputs: { who: text }
    cards:
      - id: last
        card: date/now
";

fn names(flow: &str, card: &str) -> String {
    let (flow, card) = (FlowName::new(flow).unwrap(), CardId::new(card).unwrap());
    let catalogue = TestCatalogue::new();
    let (checked, seen) = read_upstream(&Source::new("a.yaml", FLOW), &catalogue, &alone, Some(&flow), &card);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    seen.iter().map(|s| format!("{}:{}", s.name, s.kind.word())).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_card_sees_what_ran_before_it_and_its_loops() {
    let cases = [
        ("a", "active", "input:object run:object"),
        ("a", "here", "input:object run:object active:object user:object position:number inner:object"),
        ("a", "caught", "input:object run:object active:object each:object error:any"),
        ("a", "last", "input:object run:object active:object each:object safe:object"),
        ("h", "last", "input:object run:object"),
        ("a", "nobody", ""),
    ];
    for (flow, card, expected) in cases {
        assert_eq!(names(flow, card), expected, "{flow} {card}");
    }
}

#[test]
fn every_name_that_is_told_is_taken() {
    for name in ["active", "user", "position", "inner", "input", "run"] {
        let text = FLOW.replace(
            "      - id: here\n        card: date/now\n",
            &format!("      - id: here\n        card: string/compose\n        with: {{ a: \"${{{name}}}\" }}\n"),
        );
        let checked = read(&Source::new("a.yaml", &text), Some(&TestCatalogue::new()));
        assert!(!checked.has_errors(), "{name}: {:?}", checked.diagnostics);
    }
}
