//! Printing a flow and reading it again gives the same flow, as YAML and as JSON.

#![allow(clippy::unwrap_used, reason = "tests")]

use flowdeck_format::{Source, print, print_json, read};
use flowdeck_model::Flow;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn ident() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,8}"
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ,.:#'\"\\\\{}\\[\\]&*!|>%@`?-]{0,24}",
        "\\PC{0,12}",
        Just("two\nlines\n".to_string()),
        Just("no".to_string()),
        Just("0123".to_string()),
        Just("".to_string()),
    ]
    .prop_filter("mappings are made on purpose", |t| !t.contains("${"))
}

/// What a mapping is written as; constants, references, templates, nested.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000i64..1000).prop_map(Value::from),
        (-1.0e6..1.0e6f64).prop_map(Value::from),
        text().prop_map(Value::from),
        ident().prop_map(|r| format!("${{{r}.key}}").into()),
        ident().prop_map(|r| format!("Hello ${{{r}['Last Login']}}!").into()),
        ident().prop_map(|r| format!("${{{r}.count > 3}}").into()),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..3).prop_map(|e| Value::Object(e.into_iter().collect())),
        ]
    })
}

fn reference() -> impl Strategy<Value = Value> {
    ident().prop_map(|r| format!("${{{r}.list}}").into())
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![ident(), "[A-Z][a-z]{0,5} [a-z#:]{1,5}", Just("on".to_string()), Just("12".to_string())]
}

fn mappings() -> impl Strategy<Value = Value> {
    prop::collection::vec((key(), value()), 0..4).prop_map(|e| Value::Object(e.into_iter().collect()))
}

fn retry() -> impl Strategy<Value = Value> {
    (1u32..9, 0u64..90_000, 1.0..9.0f64).prop_map(
        |(times, pause, factor)| json!({"times": times, "pause_ms": pause, "factor": factor, "pause_ms_max": 300_000}),
    )
}

fn each() -> impl Strategy<Value = Value> {
    let items = prop_oneof![
        reference().prop_map(|list| json!({"list": list})),
        mappings().prop_map(|with| json!({"pages": {"card": "fam/pages", "slot": "main", "with": with}})),
    ];
    (items, ident(), prop::option::of(ident()), 1u32..5)
        .prop_map(|(items, name, index, n)| json!({"items": items, "as": name, "index": index, "concurrency": n}))
}

fn lane(cards: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (cards, mappings()).prop_map(|(cards, give)| json!({"cards": cards, "give": give}))
}

fn leaf_kind() -> impl Strategy<Value = Value> {
    prop_oneof![
        (mappings(), any::<bool>()).prop_map(
            |(with, slot)| json!({"call": {"card": "fam/doThing", "slot": slot.then_some("main"), "with": with}})
        ),
        (value(), value(), value()).prop_map(|(w, t, o)| json!({"assign_if": {"when": w, "then": t, "otherwise": o}})),
        (value(), mappings(), value())
            .prop_map(|(k, m, o)| json!({"lookup": {"key": k, "options": m, "otherwise": o}})),
        (value(), prop::option::of(text())).prop_map(|(w, m)| json!({"continue_if": {"when": w, "message": m}})),
        (mappings(), any::<bool>()).prop_map(
            |(with, a)| json!({if a { "call_flow" } else { "call_flow_async" }: {"flow": "help", "with": with}})
        ),
        mappings().prop_map(|with| json!({"return": {"with": with}})),
        (value(), value(), value()).prop_map(|(s, h, b)| json!({"return_raw": {"status": s, "headers": h, "body": b}})),
        (value(), prop::option::of(1u32..600), mappings())
            .prop_map(|(m, s, with)| json!({"return_error": {"message": m, "status": s, "with": with, "when": null}})),
        (0u64..9_000_000).prop_map(|ms| json!({"wait": {"until": {"duration": ms}, "deadline_ms": null}})),
        (reference(), 0u64..9_000_000)
            .prop_map(|(r, ms)| json!({"wait": {"until": {"signal": {"name": r}}, "deadline_ms": ms}})),
        (value(), 0u64..9_000_000)
            .prop_map(|(r, ms)| json!({"wait": {"until": {"approval": {"message": r}}, "deadline_ms": ms}})),
        reference().prop_map(|r| json!({"wait": {"until": {"time": r}, "deadline_ms": null}})),
    ]
}

fn cards() -> BoxedStrategy<Value> {
    let kind = leaf_kind().boxed().prop_recursive(3, 16, 3, |inner| {
        let cards = || prop::collection::vec(card(inner.clone()), 0..3).prop_map(Value::from).boxed();
        let lane = || lane(cards()).boxed();
        prop_oneof![
            (value(), lane(), lane()).prop_map(|(w, t, o)| json!({"if": {"when": w, "then": t, "otherwise": o}})),
            (prop::collection::vec((value(), lane()), 0..3), lane()).prop_map(|(b, o)| {
                let branches: Vec<_> = b.into_iter().map(|(w, l)| json!({"when": w, "lane": l})).collect();
                json!({"else_if": {"branches": branches, "otherwise": o}})
            }),
            (each(), any::<bool>(), lane()).prop_map(|(e, go_on, l)| json!({"for_each": {"each": e, "on_error": if go_on { "go_on" } else { "stop" }, "lane": l}})),
            (each(), cards(), value()).prop_map(|(e, c, v)| json!({"map": {"each": e, "cards": c, "value": v}})),
            (each(), cards(), value()).prop_map(|(e, c, v)| json!({"filter": {"each": e, "cards": c, "keep": v}})),
            (each(), value(), cards(), value()).prop_map(|(mut e, s, c, v)| {
                e["concurrency"] = 1.into();
                json!({"reduce": {"each": e, "start": s, "cards": c, "value": v}})
            }),
            (value(), ident(), 1u32..4, lane()).prop_map(|(n, name, k, l)| json!({"times": {"count": n, "as": name, "concurrency": k, "lane": l}})),
            (mappings(), ident(), value(), 1u64..2000, lane())
                .prop_map(|(s, name, w, n, l)| json!({"while": {"start": s, "as": name, "when": w, "times_max": n, "lane": l}})),
            (lane(), prop::option::of(retry()), ident(), lane())
                .prop_map(|(l, r, e, c)| json!({"try": {"lane": l, "retry": r, "error": e, "catch": c}})),
            prop::collection::vec((ident(), lane()), 0..3)
                .prop_map(|l| json!({"parallel": {"lanes": l.into_iter().collect::<Map<_, _>>()}})),
        ]
    });
    prop::collection::vec(card(kind), 0..4).prop_map(Value::from).boxed()
}

fn card(kind: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (kind, text(), text(), any::<bool>(), prop::option::of(0u64..1_000_000), prop::option::of(retry())).prop_map(
        |(kind, title, note, disabled, timeout, retry)| {
            let called = ["call", "call_flow", "call_flow_async"].iter().any(|k| kind.get(k).is_some());
            let in_doubt = kind.get("call").map(|_| "check");
            json!({"id": "x", "title": title, "note": note, "disabled": disabled, "timeout_ms": timeout,
                   "retry": if called { json!(retry) } else { Value::Null }, "in_doubt": in_doubt, "kind": kind})
        },
    )
}

fn trigger() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("manual")),
        (text(), prop::sample::select(&["skip", "last", "all"][..]), 0..90_000_000_u64, prop::sample::select(&["parallel", "skip", "queue"][..]))
            .prop_map(|(cron, missed, within_ms, overlap)| {
                json!({"schedule": {"cron": cron, "timezone": "UTC", "missed": missed, "within_ms": within_ms, "overlap": overlap}})
            }),
        Just(json!({"endpoint": {"methods": ["GET", "POST"], "access": "public"}})),
        mappings()
            .prop_map(|with| json!({"event": {"id": "event", "card": "fam/happened", "slot": "main", "with": with}})),
    ]
}

fn fields() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just(json!("any")),
        Just(json!("text")),
        Just(json!({"list": "number"})),
        Just(json!({"list": {"object": [{"key": "a b", "type": "date"}]}})),
        Just(json!({"object": []})),
    ];
    let field = (key(), kind, text(), any::<bool>(), prop::option::of(value())).prop_map(
        |(key, kind, help, required, default)| {
            let mut field = json!({"key": key, "type": kind, "help": help, "required": required});
            if let Some(default) = default.filter(|d| !d.is_null()) {
                field["default"] = default;
            }
            field
        },
    );
    prop::collection::vec(field, 0..3).prop_map(|fields| {
        let mut seen = std::collections::HashSet::new();
        Value::Array(fields.into_iter().filter(|f| seen.insert(f["key"].clone())).collect())
    })
}

/// Ids are unique in a flow: numbers them.
fn number(value: &mut Value, next: &mut u32) {
    match value {
        Value::Object(map) => {
            if map.contains_key("kind") && map.contains_key("id") && map.contains_key("note") {
                *next += 1;
                map.insert("id".into(), format!("card_{next}").into());
            }
            map.values_mut().for_each(|v| number(v, next));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| number(v, next)),
        _ => {}
    }
}

fn flow() -> impl Strategy<Value = Flow> {
    (text(), trigger(), fields(), cards(), cards(), any::<bool>(), prop::option::of(0u64..90_000_000)).prop_filter_map(
        "a text that looks like a mapping but is none makes no flow",
        |(description, on, inputs, cards, helper, keep, timeout)| {
            let slots = json!({"main": {"app": "thing", "nickname": "my thing", "scopes": ["a.b", "c"]}, "other": {"app": "else"}});
            let mut value = json!({
                "name": "a-flow", "description": description, "slots": slots, "on": on, "inputs": inputs, "keep_data": keep,
                "timeout_ms": timeout, "limits": {"fam/doThing": 5}, "cards": cards,
                "tables": [{"name": "A table", "columns": [{"name": "One", "type": "date"}]}],
                "helpers": {"help": {"name": "help", "slots": if keep { slots.clone() } else { json!({}) }, "cards": helper}},
            });
            number(&mut value, &mut 0);
            serde_json::from_value(value).ok()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_the_same(flow in flow()) {
        for (name, text) in [("a.yaml", print(&flow)), ("a.json", print_json(&flow))] {
            let checked = read(&Source::new(name, &text), None);
            prop_assert!(checked.diagnostics.is_empty(), "{:#?}\n{text}", checked.diagnostics);
            prop_assert_eq!(&checked.flows[..], std::slice::from_ref(&flow), "{}", text);
        }
        let text = print(&flow);
        let formatted = flowdeck_format::format_text(&Source::new("a.yaml", &text));
        prop_assert_eq!(formatted.as_deref(), Ok(text.as_str()));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,40}(\n[ -]{0,6}\\PC{0,20}){0,8}") {
        let source = Source::new("a.yaml", &text);
        prop_assert!(read(&source, None).diagnostics.len() <= 100);
        if let Ok(once) = flowdeck_format::format_text(&source) {
            let twice = flowdeck_format::format_text(&Source::new("a.yaml", &once));
            prop_assert_eq!(twice.as_deref(), Ok(once.as_str()));
        }
    }
}
