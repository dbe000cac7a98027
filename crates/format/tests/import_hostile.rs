//! Damaged and hostile exports: diagnostics, never a panic or a hang.
//!
//! Must never need an export that is not made here.
//! Tests: these are the tests. A failing case prints its seed.

use crate::common;
use crate::import_support;

use flowdeck_format::{Severity, Source, import, print, read};
use import_support::{card, export, field, flow_data};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Reads bytes; whatever came out must print and read back as itself.
fn survive(bytes: &[u8]) -> (Option<import::Export>, Vec<flowdeck_format::Diagnostic>) {
    let (found, diagnostics) = import::read("hostile.flopack", bytes, &common::TestCatalogue::new());
    assert!(found.is_some() || diagnostics.iter().any(|d| d.severity == Severity::Error));
    assert!(diagnostics.len() <= 100);
    for flow in found.iter().flat_map(|f| &f.flows).take(20) {
        let printed = print(flow);
        let back = read(&Source::new("back.yaml", &printed), None);
        assert_eq!(back.flows.first(), Some(flow), "{:?}\n{printed}", back.diagnostics);
    }
    for file in found.iter().flat_map(import::Export::files).take(20) {
        assert!(!file.name.contains('/'));
    }
    (found, diagnostics)
}

fn text(id: &str, key: &str, data: &str) -> Value {
    field(id, None, key, json!("string"), json!(data))
}

/// A small export that has a bit of everything.
fn sample() -> Value {
    let helper = flow_data(
        vec![
            card("ev", "control/callable", "Helper", vec![], vec![text("a", "x", "")]).pin("a", "r", "i", None),
            card("r", "control/return", "Return", vec![text("i", "x", "")], vec![]),
        ],
        "ev>r",
    );
    let embedded = flow_data(
        vec![
            card(
                "in",
                "control/callable",
                "In",
                vec![],
                vec![field("c", Some("context"), "K", json!("string"), json!(""))],
            )
            .pin("c", "ir", "ii", None),
            card("ir", "control/return", "Return", vec![text("ii", "out", "")], vec![]),
        ],
        "in>ir",
    );
    let cards = vec![
        card("ev", "control/callable", "Start", vec![], vec![text("e", "list", "")])
            .pin("e", "m", "l", Some("parse"))
            .pin("e", "t", "w", None),
        card("if", "control/if", "If", vec![text("lo", "left-operand", "a"), text("op", "operator", ">")], vec![])
            .with("/branches", json!({"h1": true, "h2": false})),
        card("h1", "control/noop", "", vec![], vec![]),
        card("h2", "control/noop", "", vec![], vec![]),
        card("j", "control/join", "Join", vec![text("ji", "v", "d")], vec![text("jo", "v", "")])
            .with("/joins", json!({"ji": [{"output": "jo"}]}))
            .pin("jo", "rr", "rv", None),
        card(
            "m",
            "list/map",
            "Map",
            vec![text("l", "list", ""), field("f", None, "flo", json!("flo"), json!("h"))],
            vec![text("n", "new list", "")],
        ),
        card(
            "t",
            "control/tryCatch",
            "Try",
            vec![
                field("w", Some("context"), "K", json!("string"), json!("")),
                field("tf", None, "flo", json!("flo"), embedded.clone()),
            ],
            vec![text("o", "out", "")],
        )
        .with("/node/model/policy", json!({"error": {"type": "handler", "flo": embedded}})),
        card("rr", "control/return", "Return", vec![text("rv", "v", "")], vec![]),
    ];
    export(vec![("f", "Main", flow_data(cards, "ev>if h1>j h2>j j>m m>t t>rr")), ("h", "Helper", helper)])
}

#[test]
fn the_sample_is_sound() {
    let (found, diagnostics) = survive(sample().to_string().as_bytes());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert!(found.unwrap().report.lost.is_empty());
}

#[test]
fn cut_anywhere() {
    let bytes = sample().to_string().into_bytes();
    for end in (0..bytes.len()).step_by(7) {
        let (found, diagnostics) = survive(&bytes[..end]);
        assert!(found.is_none() && diagnostics[0].code == "export-json", "cut at {end}");
    }
}

#[test]
fn deep_and_wide() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let (found, diagnostics) = survive(format!(r#"{{"type":"flopack","data":{{"flos":{deep}}}}}"#).as_bytes());
    assert!(found.is_none() && diagnostics[0].code == "export-json");
    let keys: Vec<String> = (0..1_000_000).map(|i| format!("\"k{i}\":0")).collect();
    let wide = format!(r#"{{"type":"flopack","data":{{"flos":{{{}}}}}}}"#, keys.join(","));
    let (_, diagnostics) = survive(wide.as_bytes());
    assert!(diagnostics.iter().any(|d| d.code == "too-many-flows"));
    assert!(survive(&vec![b' '; import::EXPORT_BYTES_MAX + 1]).1[0].code == "export-too-large");
}

#[test]
fn circles_and_things_that_are_not_there() {
    let circle = flow_data(
        vec![card("a", "control/let", "A", vec![], vec![]), card("b", "control/let", "B", vec![], vec![])],
        "a>b b>a",
    );
    let (_, diagnostics) = survive(export(vec![("f", "Circle", circle)]).to_string().as_bytes());
    assert!(diagnostics[0].message.contains("no card comes first"), "{diagnostics:?}");
    let back = flow_data(
        vec![
            card("ev", "control/callable", "Start", vec![], vec![]),
            card("a", "control/let", "A", vec![], vec![]),
            card("b", "control/let", "B", vec![], vec![]),
        ],
        "ev>a a>b b>a",
    );
    let (_, diagnostics) = survive(export(vec![("f", "Back", back)]).to_string().as_bytes());
    assert!(diagnostics[0].message.contains("leads back"), "{diagnostics:?}");
    let lost = flow_data(
        vec![
            card("ev", "control/callable", "Start", vec![], vec![text("o", "x", "")]).pin("o", "gone", "i", None),
            card("s", "control/spawn", "Call", vec![field("f", None, "flo", json!("flo"), json!("nowhere"))], vec![]),
        ],
        "ev>s",
    );
    let (found, _) = survive(export(vec![("f", "Lost", lost)]).to_string().as_bytes());
    let lost: Vec<String> = found.unwrap().report.lost.iter().map(|n| n.what.clone()).collect();
    assert!(lost.iter().any(|w| w.contains("a pin")) && lost.iter().any(|w| w.contains("helper flow")), "{lost:?}");
}

#[test]
fn nested_without_end() {
    let mut inner = flow_data(vec![card("in", "control/callable", "In", vec![], vec![])], "");
    for depth in 0..12 {
        let holder = card("t", "control/tryCatch", "Try", vec![field("tf", None, "flo", json!("flo"), inner)], vec![])
            .with("/node/model/policy", json!({"error": {"type": "finish", "depth": depth}}));
        inner = flow_data(vec![card("ev", "control/callable", "In", vec![], vec![]), holder], "ev>t");
    }
    // The reader of JSON stops before our own limit does; both are diagnostics.
    survive(export(vec![("f", "Deep", inner)]).to_string().as_bytes());
}

#[test]
fn a_key_that_stands_twice_is_told() {
    let text = sample().to_string();
    let twice = text.replacen(r#""name":"Main""#, r#""name":"Main","name":"Other""#, 1);
    assert_ne!(text, twice);
    let (found, diagnostics) = survive(twice.as_bytes());
    assert_eq!(found.unwrap().report.flows[0].title, "Other");
    let told: Vec<_> = diagnostics.iter().map(|d| (d.code, d.severity, d.path.as_str())).collect();
    assert_eq!(told, [("export-key-twice", Severity::Warning, "data.flos.f.name")]);
    let many = text.replacen(r#""name":"Main""#, r#""name":"Main","#.repeat(100_000).trim_end_matches(','), 1);
    assert!(survive(many.as_bytes()).1.len() <= 100);
}

#[test]
fn twice_the_same_and_many_names() {
    let twice = flow_data(
        vec![
            card("ev", "control/callable", "Start", vec![], vec![text("o", "x", "")]),
            card("a", "control/let", "Same", vec![text("i", "k", "1"), text("i2", "k", "2")], vec![]),
            card("a", "control/let", "Same", vec![], vec![]),
            card("b", "control/let", "Same", vec![], vec![]),
        ],
        "ev>a a>b",
    );
    survive(export(vec![("f", "Twice", twice.clone()), ("g", "Twice", twice)]).to_string().as_bytes());
    let cards: Vec<_> = (0..3000).map(|i| card(&format!("c{i}"), "control/let", "return", vec![], vec![])).collect();
    let edges: Vec<String> = (1..3000).map(|i| format!("c{}>c{i}", i - 1)).collect();
    survive(export(vec![("f", "Long", flow_data(cards, &edges.join(" ")))]).to_string().as_bytes());
}

/// Every value of a tree, by pointer.
fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(k, v)| pointers(v, format!("{at}/{}", k.replace('~', "~0").replace('/', "~1")), out))
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| pointers(v, format!("{at}/{i}"), out)),
        _ => {}
    }
    out.push(at);
}

fn other(kind: u8) -> Value {
    match kind % 9 {
        0 => Value::Null,
        1 => json!(-1e300),
        2 => json!("f"),
        3 => json!("${x} {{{k}}} '\\ \u{7f}\u{0}\n"),
        4 => json!([1, "ev", null]),
        5 => Value::Object(Map::new()),
        6 => {
            json!({"ev": {"r": [{"input": "i", "transform": {"a": {"convert": "wrapArray", "forceWrapArray": true}}}]}})
        }
        7 => json!(true),
        _ => json!("x".repeat(3000)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changed_anywhere(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut tree = sample();
        for (index, kind) in changes {
            let mut all = Vec::new();
            pointers(&tree, String::new(), &mut all);
            let pointer = index.get(&all).clone();
            if let Some(place) = tree.pointer_mut(&pointer) {
                *place = other(kind);
            }
        }
        survive(tree.to_string().as_bytes());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let braces = bytes.contains(&0x7b);
        prop_assert!(braces || !import::is_export(&bytes), "{:?}", bytes);
        survive(&bytes);
    }
}
