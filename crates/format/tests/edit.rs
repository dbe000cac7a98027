//! Cards put into flow files: where they come to stand, and that nothing else moves.
//!
//! Must never pass over a layout that cannot be added to: each is in the table.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use flowdeck_format::edit::{EditError, Edited, NewSlot, Place, Spot, insert_card};
use flowdeck_format::{Source, format_text, read};
use flowdeck_model::{AppName, CardId, Flow, FlowName, SlotName, Value};
use proptest::prelude::*;
use serde_json::{Map, json};

fn body() -> Map<String, Value> {
    json!({ "card": "date/now" }).as_object().unwrap().clone()
}

fn id(text: &str) -> CardId {
    CardId::new(text).unwrap()
}

fn slot() -> NewSlot {
    NewSlot { name: SlotName::new("dir").unwrap(), app: AppName::new("playground").unwrap(), nickname: None }
}

/// `after x`, `in x.lane`, `first in x.lane`, `first`, `end`, each with `of FLOW`.
fn place(text: &str) -> Place {
    let (text, flow) = text.split_once(" of ").map_or((text, None), |(t, f)| (t, Some(FlowName::new(f).unwrap())));
    let words: Vec<&str> = text.split(' ').collect();
    let lane = words.iter().position(|w| *w == "in").map(|at| {
        let (card, lane) = words[at + 1].split_once('.').unwrap();
        (id(card), lane.to_string())
    });
    let spot = match words[0] {
        "after" => Spot::After(id(words[1])),
        "first" => Spot::First,
        _ => Spot::End,
    };
    Place { flow, lane, spot }
}

fn inserted(name: &str, text: &str, at: &str) -> Result<Edited, EditError> {
    insert_card(&Source::new(name, text), &place(at), &id("new"), &body(), None)
}

#[track_caller]
fn check(before: &str, at: &str, after: &str) {
    let edited = inserted("a.yaml", before, at).unwrap_or_else(|e| panic!("{at}: {e}\n{before}"));
    assert_eq!(edited.text, after, "{at}");
    assert!(edited.text[edited.card].starts_with("id: new") || edited.text.contains("{ id: new"), "{after}");
}

#[test]
fn a_card_stands_where_a_hand_would_have_put_it() {
    let flow = "flow: a\ncards:\n  # first\n  - id: one\n    card: date/now # beside\n    # of one\n  # of two\n  - id: two\n    card: date/now\n\n# end\n";
    let new = "  - id: new\n    card: date/now\n";
    let at = |mark: &str| flow.replace(mark, &format!("{new}{mark}"));
    check(flow, "first", &at("  # first\n"));
    check(flow, "after one", &at("  # of two\n"));
    check(flow, "after two", &at("\n# end\n"));
    check(flow, "end", &at("\n# end\n"));
}

#[test]
fn behind_a_return_nothing_is_put() {
    let flow = "flow: a\ncards:\n- id: one\n  card: date/now\n# the end\n- return: {}\n";
    check(
        flow,
        "end",
        "flow: a\ncards:\n- id: one\n  card: date/now\n- id: new\n  card: date/now\n# the end\n- return: {}\n",
    );
    check(
        "flow: a\ncards:\n  - return: {}\n",
        "end",
        "flow: a\ncards:\n  - id: new\n    card: date/now\n  - return: {}\n",
    );
}

#[test]
fn lists_that_are_empty_or_missing_are_filled() {
    let new = "\n  - id: new\n    card: date/now\n";
    check("flow: a\ncards: []\n", "end", &format!("flow: a\ncards:{new}"));
    check("flow: a\ncards: [] # none\n", "end", &format!("flow: a\ncards: # none{new}"));
    check("flow: a\ncards:\n", "first", &format!("flow: a\ncards:{new}"));
    check("flow: a\ncards:", "first", &format!("flow: a\ncards:{}", new.trim_end()));
    check("flow: a\ncards:\nhelpers: {}\n", "end", &format!("flow: a\ncards:{new}helpers: {{}}\n"));
    let each = "flow: a\ncards:\n  - id: x\n    for_each: [1]\n";
    let lane = "    cards:\n      - id: new\n        card: date/now\n";
    check(each, "in x.cards", &format!("{each}{lane}"));
    check(&format!("{each}    give: {{ a: 1 }}\n"), "in x.cards", &format!("{each}{lane}    give: {{ a: 1 }}\n"));
    let when = "flow: a\ncards:\n  - id: x\n    if: true\n    then: []\n  - id: y\n    card: date/now\n";
    let then = when.replace("then: []\n", "then:\n      - id: new\n        card: date/now\n");
    check(when, "in x.then", &then);
    let other = when.replace("then: []\n", "then: []\n    else:\n      - id: new\n        card: date/now\n");
    check(when, "in x.else", &other);
}

#[test]
fn lanes_are_found_in_every_form() {
    let give = "flow: a\ncards:\n  - id: x\n    try:\n      give: { a: 1 }\n";
    check(give, "in x.try", &give.replace("give", "cards:\n        - id: new\n          card: date/now\n      give"));
    let inline = "flow: a\ncards:\n  - id: x\n    try: { give: { a: 1 } }\n";
    check(inline, "in x.try", &inline.replace("{ give", "{ cards: [{ id: new, card: date/now }], give"));
    let branches = "flow: a\ncards:\n  - id: x\n    else_if:\n      - when: true\n        cards:\n          - id: y\n            card: date/now\n      - when: false\n    else: []\n";
    let second = branches
        .replace("when: false\n", "when: false\n        cards:\n          - id: new\n            card: date/now\n");
    check(branches, "in x.2", &second);
    check(
        branches,
        "in x.1",
        &branches
            .replace("      - when: false", "          - id: new\n            card: date/now\n      - when: false"),
    );
    let lanes = "flow: a\ncards:\n  - id: x\n    parallel: { left: [], right: [{ id: r, card: date/now }] }\n";
    check(lanes, "in x.left", &lanes.replace("left: []", "left: [{ id: new, card: date/now }]"));
    check(lanes, "in x.right", &lanes.replace("date/now }]", "date/now }, { id: new, card: date/now }]"));
    check(lanes, "first in x.right", &lanes.replace("[{ id: r", "[{ id: new, card: date/now }, { id: r"));
}

#[test]
fn neighbours_are_followed() {
    let airy = "flow: a\ncards:\n  - id: one\n    card: date/now\n\n  - id: two\n    card: date/now\n";
    let new = "  - id: new\n    card: date/now\n";
    check(airy, "end", &format!("{airy}\n{new}"));
    check(airy, "first", &airy.replace("  - id: one", &format!("{new}\n  - id: one")));
    check(airy, "after one", &airy.replace("\n  - id: two", &format!("\n{new}\n  - id: two")));
    let short = "flow: a\ncards:\n  - { id: one, card: date/now }\n";
    check(short, "end", &format!("{short}  - {{ id: new, card: date/now }}\n"));
    let wide = "flow: a\ncards:\n    -   id: one\n        card: date/now\n";
    check(wide, "end", &format!("{wide}    - id: new\n      card: date/now\n"));
    let dos = "flow: a\r\ncards:\r\n  - id: one\r\n    card: date/now\r\n";
    check(dos, "end", &format!("{dos}  - id: new\r\n    card: date/now\r\n"));
    let open = "flow: a\ncards:\n  - id: one\n    card: date/now";
    check(open, "end", &format!("{open}\n  - id: new\n    card: date/now"));
    let text = "flow: a\ncards:\n  - id: one\n    card: string/compose\n    with:\n      text: |+\n        two blank lines\n\n\n";
    check(text, "end", &format!("{text}  - id: new\n    card: date/now\n"));
}

#[test]
fn helpers_and_further_flows_are_found_by_name() {
    let file = "flow: a\ncards:\n  - id: one\n    card: date/now\nhelpers:\n  h:\n    cards:\n      - id: one\n        card: date/now\n---\nflow: b\ncards: []\n";
    let helper = file.replace("---", "      - id: new\n        card: date/now\n---");
    check(file, "after one of h", &helper);
    check(file, "end of b", &file.replace("cards: []\n", "cards:\n  - id: new\n    card: date/now\n"));
    let many = "flows:\n  - flow: a\n    cards:\n      - id: one\n        card: date/now\n  - flow: b\n    cards: []\n";
    check(many, "end of a", &many.replace("  - flow: b", "      - id: new\n        card: date/now\n  - flow: b"));
    assert!(matches!(inserted("a.yaml", file, "end"), Err(EditError::Flow(_))));
    assert!(matches!(inserted("a.yaml", file, "end of c"), Err(EditError::Flow(_))));
}

#[test]
fn what_is_not_there_is_named() {
    let flow = "flow: a\ncards:\n  - id: one\n    if: true\n    then: []\n";
    let said = |at| inserted("a.yaml", flow, at).unwrap_err().to_string();
    assert_eq!(said("after two"), "there is no card `two` in this flow");
    assert_eq!(said("in one.cards"), "`one` has no lane `cards`; it has then, else");
    assert!(matches!(inserted("a.yaml", "flow: [", "end"), Err(EditError::File(list)) if !list.is_empty()));
}

#[test]
fn slots_stand_among_the_others() {
    let cards = "cards:\n  - id: new\n    card: date/now\n";
    let with_slot = |text: &str| {
        let at = Place::default();
        insert_card(&Source::new("a.yaml", text), &at, &id("new"), &body(), Some(&slot())).unwrap().text
    };
    for (head, wanted) in [
        ("flow: a\n# of cards\n", "flow: a\nslots:\n  dir: { app: playground }\n# of cards\n"),
        (
            "flow: a\ndescription: >\n  Long.\non: manual\n",
            "flow: a\ndescription: >\n  Long.\nslots:\n  dir: { app: playground }\non: manual\n",
        ),
        (
            "flow: a\nslots:\n  okta: okta # ours\non: manual\n",
            "flow: a\nslots:\n  okta: okta # ours\n  dir: { app: playground }\non: manual\n",
        ),
        ("flow: a\nslots: { okta: okta }\n", "flow: a\nslots: { okta: okta, dir: { app: playground } }\n"),
        ("flow: a\nslots: {}\n", "flow: a\nslots:\n  dir: { app: playground }\n"),
        ("flow: a\nslots:\n", "flow: a\nslots:\n  dir: { app: playground }\n"),
    ] {
        assert_eq!(with_slot(&format!("{head}cards: []\n")), format!("{wanted}{cards}"));
    }
}

#[test]
fn json_stays_json() {
    for (before, after) in [
        (
            r#"{"flow": "a", "cards": []}"#,
            "{\"flow\": \"a\", \"cards\": [\n  {\n    \"id\": \"new\",\n    \"card\": \"date/now\"\n  }\n]}",
        ),
        (
            r#"{"flow": "a", "cards": [{"id": "one", "card": "date/now"}]}"#,
            r#"{"flow": "a", "cards": [{"id": "one", "card": "date/now"}, {   "id": "new",   "card": "date/now" }]}"#,
        ),
    ] {
        assert_eq!(inserted("a.json", before, "end").unwrap().text, after);
    }
    let tidy = format_text(&Source::new("a.json", r#"{"flow":"a","cards":[{"id":"x","if":true,"then":[]}]}"#)).unwrap();
    for at in ["end", "first", "in x.then", "in x.else"] {
        let text = inserted("a.json", &tidy, at).unwrap().text;
        assert_eq!(format_text(&Source::new("a.json", &text)).as_deref(), Ok(text.as_str()), "{at}");
        let slotted =
            insert_card(&Source::new("a.json", &tidy), &place(at), &id("new"), &body(), Some(&slot())).unwrap();
        assert!(slotted.text.contains("\"slots\": {\n    \"dir\": {"), "{}", slotted.text);
    }
}

/// Every card and lane of a flow as places.
fn places(flow: &Flow) -> Vec<Place> {
    let name = Some(flow.name.clone());
    let mut all = vec![
        Place { flow: name.clone(), lane: None, spot: Spot::First },
        Place { flow: name.clone(), lane: None, spot: Spot::End },
    ];
    let mut open = vec![flow.cards.as_slice()];
    while let Some(list) = open.pop() {
        for card in list {
            all.push(Place { flow: name.clone(), lane: None, spot: Spot::After(card.id.clone()) });
            for lane in ["then", "else", "1", "2", "cards", "try", "catch", "left", "right"] {
                for spot in [Spot::First, Spot::End] {
                    all.push(Place { flow: name.clone(), lane: Some((card.id.clone(), lane.into())), spot });
                }
            }
            open.extend(card.kind.lanes());
        }
    }
    all
}

/// The texts that flows are written in: samples, documentation, and the same in other layouts.
fn texts() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(root.join("flows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".flow.yaml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    let manual = std::fs::read_to_string(root.join("docs/flow-files.md")).unwrap();
    for (i, block) in manual.split("```yaml\n").skip(1).enumerate() {
        let block = block.split("```").next().unwrap();
        let text = if block.starts_with("flow:") {
            block.to_string()
        } else {
            let lines: String = block.lines().map(|line| format!("  {line}\n")).collect();
            format!("flow: example\nslots:\n  okta: okta\ncards:\n{lines}")
        };
        texts.push((format!("docs {i}.yaml"), text));
    }
    assert!(texts.len() > 10, "the samples are gone");
    let other: Vec<_> = texts
        .iter()
        .flat_map(|(name, text)| {
            let json = flowdeck_format::values_of(&Source::new(name, text)).remove(0);
            [
                (format!("{name} crlf.yaml"), text.replace('\n', "\r\n")),
                (format!("{name} open.yaml"), text.trim_end().to_string()),
                (format!("{name}.json"), format!("{json:#}\n")),
                (format!("{name} flat.json"), json.to_string()),
            ]
        })
        .collect();
    texts.extend(other);
    texts
}

#[test]
fn whatever_is_added_nothing_else_moves() {
    let mut done = 0;
    for (name, text) in texts() {
        let source = Source::new(&name, &text);
        let checked = read(&source, None);
        assert!(!checked.has_errors(), "{name}: {:?}", checked.diagnostics);
        let is_tidy = format_text(&source).as_deref() == Ok(text.as_str());
        for flow in checked.flows.iter().flat_map(|f| std::iter::once(f).chain(f.helpers.values())) {
            for at in places(flow) {
                let edited = match insert_card(&source, &at, &id("a_new_card"), &body(), None) {
                    Ok(edited) => edited,
                    Err(EditError::Lane { .. }) => continue,
                    Err(error) => panic!("{name} {at:?}: {error}"),
                };
                done += 1;
                let new = &edited.text;
                let before = text.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
                let behind = text.bytes().rev().zip(new.bytes().rev()).take_while(|(a, b)| a == b).count();
                // An empty list gives up its brackets, a list in brackets its line where that gets too long.
                let gone = text.len().saturating_sub(before + behind);
                let what = text.get(before.min(text.len() - behind)..(before + gone).min(text.len())).unwrap_or("");
                let is_empty_list = what.trim() == "[]" || (what.contains('[') && is_tidy);
                assert!(gone == 0 || is_empty_list, "{name} {at:?} lost {what:?}:\n{new}");
                let again = Source::new(&name, new);
                if is_tidy {
                    assert_eq!(format_text(&again).as_deref(), Ok(new.as_str()), "{name} {at:?}");
                }
                let known = read(&again, None);
                assert!(!known.has_errors(), "{name} {at:?}: {:?}\n{new}", known.diagnostics);
                assert!(new[edited.card.clone()].contains("a_new_card"), "{name} {at:?}");
            }
        }
    }
    assert!(done > 800, "{done}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_a_field_keeps_a_tidy_file_tidy(keys in prop::collection::vec("[a-z ':#{]{1,12}", 0..4), text in "\\PC{0,60}(\n\\PC{0,20}){0,3}") {
        let with: Map<String, Value> = keys.into_iter().map(|key| (key, Value::String(text.clone()))).collect();
        let mut body = body();
        body.insert("with".into(), Value::Object(with));
        let flow = "flow: a\ncards:\n  - id: x\n    if: true\n    then:\n      - id: one\n        card: date/now\n    # end\n";
        for at in ["after one", "first", "end"] {
            let edited = insert_card(&Source::new("a.yaml", flow), &place(at), &id("new"), &body, None).unwrap();
            let again = format_text(&Source::new("a.yaml", &edited.text));
            prop_assert_eq!(again.as_deref(), Ok(edited.text.as_str()));
        }
    }
}
