//! Exports made here, and the native files that they become.
//!
//! Must never copy a real export: each is written after the specification.
//! Tests: these are the tests; golden files are in `snapshots/`.

use crate::common;
use crate::import_support;

use flowdeck_format::{Source, import, print, read};
use import_support::{Card, card, export, field, flow_data};
use serde_json::{Value, json};

fn text(id: &str, key: &str, data: &str) -> Value {
    field(id, None, key, json!("string"), json!(data))
}

fn any(id: &str, key: &str) -> Value {
    field(id, None, key, json!("object"), json!({}))
}

fn event(cards: &[&str]) -> Card {
    let outputs = cards.iter().enumerate().map(|(i, key)| text(&format!("in{i}"), key, "")).collect();
    card("ev", "control/callable", "Helper Flow", vec![], outputs)
}

/// Imports, checks that each flow reads back as itself, and gives the texts.
fn imported(tree: &Value) -> (String, import::Export) {
    let catalogue = common::TestCatalogue::new();
    let (found, diagnostics) = import::read("test.flopack", tree.to_string().as_bytes(), &catalogue);
    let found = found.unwrap();
    assert!(diagnostics.iter().all(|d| d.code == "unbound-card"), "{diagnostics:?}");
    let mut all = String::new();
    for flow in &found.flows {
        let whole = found.whole(flow.name.as_str()).unwrap();
        let printed = print(&whole);
        let back = read(&Source::new("back.yaml", &printed), None);
        assert_eq!(back.flows.first(), Some(&whole), "{:?}\n{printed}", back.diagnostics);
        all.push_str(&print(flow));
        all.push_str("---\n");
    }
    (all, found)
}

fn condition(left: Value) -> Vec<Value> {
    vec![left, text("op", "operator", "=="), text("rt", "right-operand", "yes")]
}

#[test]
fn lanes_join_and_notes() {
    let cards = vec![
        event(&["answer"]).pin("in0", "if1", "lf", None).pin("in0", "j1", "ji", None),
        card("note", "control/comment", "Comment", vec![], vec![])
            .with("/comments", json!(r##"{"title":"Why","markdown":"Only yes counts."}"##)),
        card("if1", "control/if", "If/Else", condition(text("lf", "left-operand", "")), vec![])
            .with("/branches", json!({"lt": true, "lf0": false})),
        card("lt", "control/noop", "", vec![], vec![]).with("/node/model/displayed", json!(false)),
        card("lf0", "control/noop", "", vec![], vec![]).with("/node/model/displayed", json!(false)),
        card(
            "c1",
            "string/compose",
            "Greeting",
            vec![text("t0", "_text_", "Hello {{{k1}}}!"), text("t1", "k1", "you")],
            vec![text("co", "output", "")],
        )
        .pin("co", "j1", "ji2", None),
        card(
            "j1",
            "control/join",
            "Join",
            vec![any("ji", "first"), text("ji2", "word", "none")],
            vec![any("jo", "first"), text("jo2", "word", "")],
        )
        .with("/joins", json!({"ji": [{"output": "jo"}], "ji2": [{"output": "jo2"}], "gone": []}))
        .pin("jo2", "r1", "ri", None),
        card("r1", "control/return", "Return", vec![text("ri", "word", "")], vec![]),
    ];
    let edges = "ev>note note>if1 if1>if1 lt>c1 c1>j1 lt>j1 lf0>j1 j1>r1 j1>r1";
    let (files, found) = imported(&export(vec![("f1", "[helper] Greet", flow_data(cards, edges))]));
    insta::assert_snapshot!(files);
    assert!(found.report.lost.is_empty(), "{:?}", found.report.lost);
}

#[test]
fn expand_pairs_and_transforms() {
    let expand = card(
        "x1",
        "object/expand",
        "ev",
        vec![any("xi", "object")],
        vec![
            field("k1", Some("g1"), "key", json!("string"), json!(["a.b", "Last Login"])),
            json!({"id": "v1", "group": "g1", "key": "value", "value": {"type": "string"}, "metadata": {"path": ["a.b", "Last Login"]}}),
        ],
    )
    .with("/node/model/displayed", json!(false))
    .pin("v1", "r1", "ra", Some("parse"));
    let cards = vec![
        event(&["user", "n"]).pin("in0", "x1", "xi", None).pin("in1", "r1", "rb", Some("toString")),
        expand,
        card(
            "r1",
            "control/return",
            "Return",
            vec![any("ra", "when"), text("rb", "n", "old"), text("rc", "fixed", "${x}")],
            vec![],
        ),
    ];
    let (files, _) = imported(&export(vec![("f1", "Paths", flow_data(cards, "ev>r1 ev>x1 x1>x1"))]));
    insta::assert_snapshot!(files);
}

fn captured(id: &str, inner: &str) -> Value {
    let mut input = field(id, Some("context"), "K7", json!("string"), json!(""));
    input["metadata"]["wormholeMethodId"] = json!(inner);
    input
}

#[test]
fn if_error_else_if_and_what_they_capture() {
    let inside = |uuid: &str, target: &str, key: &str| {
        flow_data(
            vec![
                card(
                    uuid,
                    "control/callable",
                    "Helper Flow",
                    vec![captured("c1", "t1")],
                    vec![captured("c2", "t1"), field("ce", Some("context"), "error", json!("object"), json!({}))],
                )
                .pin("c2", target, "ri", None),
                card(target, "control/return", "Return", vec![text("ri", key, "")], vec![]),
            ],
            &format!("{uuid}>{target}"),
        )
    };
    let tried = card(
        "t1",
        "control/tryCatch",
        "If Error",
        vec![captured("w1", "in1"), field("fl", None, "flo", json!("flo"), inside("in1", "tr1", "out"))],
        vec![text("to", "out", "")],
    )
    .with(
        "/node/model/policy",
        json!({"error": {"type": "handler", "merge": "join", "flo": inside("in2", "tr2", "out")}}),
    )
    .pin("to", "b1", "bl", None);
    let branch = card(
        "b1",
        "control/branch",
        "If/ElseIf",
        vec![
            field("bl", Some("if"), "left-operand", json!("string"), json!("")),
            field("bo", Some("if"), "operator", json!("string"), json!("is not empty")),
            field("br", Some("if"), "right-operand", json!("string"), json!("")),
            field("bf", Some("if"), "flo", json!("flo"), inside("in3", "tr3", "size")),
            field("bx", Some("else"), "flo", json!("flo"), inside("in4", "tr4", "size")),
            captured("w2", "in3"),
        ],
        vec![text("bout", "size", "")],
    )
    .pin("bout", "r1", "ri0", None);
    let cards = vec![
        event(&["name"]).pin("in0", "t1", "w1", None).pin("in0", "b1", "w2", None),
        tried,
        branch,
        card("r1", "control/return", "Return", vec![text("ri0", "size", "")], vec![]),
    ];
    let (files, _) = imported(&export(vec![("f1", "Blocks", flow_data(cards, "ev>t1 t1>b1 b1>r1"))]));
    insta::assert_snapshot!(files);
}

fn argument(id: &str, key: &str, path: Option<&str>) -> Value {
    let mut input = text(id, key, "same");
    input["metadata"]["custom"] = json!(true);
    input["value"]["proxy"] = json!({"dynamic": path.is_some(), "path": path, "dest": {"key": key, "group": null}});
    input
}

#[test]
fn loops_over_helpers() {
    let helper = flow_data(
        vec![
            card(
                "ev",
                "control/callable",
                "Helper Flow",
                vec![],
                vec![
                    text("a", "id", ""),
                    text("b", "all", ""),
                    field("i", Some("context"), "index", json!("number"), json!(0)),
                    text("m", "memo", ""),
                ],
            )
            .pin("i", "c1", "t1", None),
            card(
                "c1",
                "string/compose",
                "Line",
                vec![text("t0", "_text_", "{{{k}}}."), text("t1", "k", "")],
                vec![text("co", "output", "")],
            ),
        ],
        "ev>c1",
    );
    let arguments = || {
        vec![
            field("fl", None, "flo", json!("flo"), json!("h1")),
            argument("ai", "id", Some("Row ID")),
            argument("aa", "all", Some("")),
            argument("as", "fixed", None),
        ]
    };
    let looped = |uuid: &str, name: &str, list: &str| {
        let mut inputs = vec![any(list, "list"), field("cc", None, "concurrency", json!("number"), json!(3))];
        inputs.extend(arguments());
        card(uuid, name, name, inputs, vec![any("o", if name == "list/map" { "new list" } else { "list" })])
    };
    let mut memo = text("m0", "memo", "");
    memo["value"]["data"] = json!("seed");
    let mut inputs = vec![any("l4", "list"), memo];
    inputs.extend(arguments());
    inputs.push(argument("m1", "memo", None));
    let cards = vec![
        event(&["rows"])
            .pin("in0", "e1", "l1", None)
            .pin("in0", "m1", "l2", None)
            .pin("in0", "f1c", "l3", None)
            .pin("in0", "rd", "l4", None),
        looped("e1", "list/each", "l1"),
        looped("m1", "list/map", "l2"),
        looped("f1c", "list/filter", "l3"),
        card("rd", "list/reduce", "Reduce", inputs, vec![any("item", "item")]).pin("item", "r1", "ri", None),
        card("r1", "control/return", "Return", vec![text("ri", "total", "")], vec![]),
    ];
    let tree =
        export(vec![("f1", "Loops", flow_data(cards, "ev>e1 e1>m1 m1>f1c f1c>rd rd>r1")), ("h1", "Helper", helper)]);
    let (files, found) = imported(&tree);
    insta::assert_snapshot!(files);
    assert!(found.report.changed.iter().any(|n| n.what.contains("no Return")));
    let linked = found.files();
    assert!(linked[0].text.contains("file: helper.flow.yaml"), "{}", linked[0].text);
}

#[test]
fn tables_policies_and_starts() {
    let filter = json!({"expr": [
        {"lhs": "email", "op": "=", "rhd": {"methodId": "ev", "outputId": "in0"}, "join": "OR"},
        {"lhs": "seen", "op": "<", "rhs": "2024-01-01", "join": "AND"}]});
    let search = card(
        "s1",
        "@stash/searchRows2",
        "Search Rows",
        vec![
            field("p1", Some("parameters"), "stash", json!("string"), json!("t1")),
            field("p2", Some("parameters"), "resultSet", json!("string"), json!("one")),
            field("w", Some("Filter"), "Where Expression", json!("object"), filter),
            field("x", Some("_expr"), "in0", json!("string"), json!("")),
        ],
        vec![field("so", Some("Fields"), "seen", json!("Date"), json!(""))],
    )
    .pin("so", "u1", "ui", Some("isoString"));
    let update = card(
        "u1",
        "@stash/updateRow",
        "Update Row",
        vec![
            field("p1u", Some("parameters"), "stash", json!("string"), json!("t1")),
            field("ur", Some("Update By"), "Row ID", json!("string"), json!("r1")),
            field("ui", Some("Fields"), "seen", json!("Date"), json!("")),
        ],
        vec![],
    );
    let failing = card("a1", "@acme/doThing", "Do Thing", vec![text("ai", "id", "7")], vec![text("ao", "id", "")])
        .with("/node/model/policy", json!({"error": {"type": "flo", "flo": "h1", "retry": 3, "delay": 2000}}))
        .with("/node/model/config", json!("c1"))
        .pin("ao", "w1", "wd", Some("parseFloat"));
    let wait = card(
        "w1",
        "control/wait",
        "Wait For",
        vec![field("wd", None, "delay", json!("number"), json!(0)), text("wu", "unit", "minutes")],
        vec![],
    );
    let mut scheduled = flow_data(
        vec![event(&["mail"]).pin("in0", "s1", "x", None), search, update, failing, wait],
        "ev>s1 s1>u1 u1>a1 a1>w1",
    );
    scheduled["cron"] = json!({"seconds": "00", "minutes": "0", "hours": "9", "dayOfTheMonth": "*/1", "month": "3-12/3", "dayOfTheWeek": "*", "timeZone": "US/Pacific"});
    scheduled["scheduled"] = json!(true);
    let handler = flow_data(
        vec![
            card(
                "ev",
                "control/callable",
                "Helper Flow",
                vec![],
                vec![field("e", Some("context"), "error", json!("object"), json!({}))],
            )
            .pin("e", "l1", "li", Some("stringify")),
            card(
                "l1",
                "control/throw",
                "Return Error",
                vec![field("st", None, "statusCode", json!("number"), json!(500)), text("li", "message", "")],
                vec![],
            ),
        ],
        "ev>l1",
    );
    let mut endpoint = flow_data(
        vec![
            card(
                "ev",
                "http/accept",
                "API Endpoint",
                vec![],
                vec![
                    field("b", Some("raw"), "body", json!("string"), json!("")),
                    field("u", Some("body"), "user", json!("string"), json!("")),
                ],
            )
            .pin("b", "rr", "rb", Some("parse")),
            card(
                "rr",
                "control/returnRaw",
                "Return Raw",
                vec![
                    field("rs", None, "statusCode", json!("number"), json!(200)),
                    any("rh", "headers"),
                    text("rb", "body", ""),
                ],
                vec![],
            ),
        ],
        "ev>rr",
    );
    endpoint["security_level"] = json!("open");
    let tree = export(vec![("f1", "Nightly", scheduled), ("h1", "On error", handler), ("a1", "Hook", endpoint)]);
    let (files, found) = imported(&tree);
    insta::assert_snapshot!(files);
    insta::assert_snapshot!(found.report.text());
}

#[test]
fn an_event_is_taken_out_of_its_loop() {
    let body = flow_data(
        vec![
            card(
                "in",
                "control/callable",
                "User Created",
                vec![],
                vec![field("o1", Some("Output"), "Okta User", json!("object"), json!({}))],
            )
            .pin("o1", "c1", "ci", None),
            card(
                "c1",
                "control/continueIf",
                "Continue If",
                vec![
                    text("ci", "left-operand", ""),
                    text("op", "operator", "is not empty"),
                    text("rt", "right-operand", ""),
                ],
                vec![],
            ),
        ],
        "in>c1",
    );
    let cards = vec![
        card(
            "ev",
            "@acme/userCreated",
            "User Created",
            vec![text("ty", "type", "invoke")],
            vec![any("col", "collection")],
        )
        .pin("col", "each", "l", None),
        card(
            "each",
            "list/asyncEach",
            "For Each",
            vec![any("l", "list"), field("fl", None, "flo", json!("flo"), body)],
            vec![],
        ),
    ];
    let (files, found) = imported(&export(vec![("f1", "On user", flow_data(cards, "ev>each"))]));
    insta::assert_snapshot!(files);
    assert_eq!(found.report.unbound.len(), 1);
}

#[test]
fn streaming_and_an_early_answer() {
    let helper = flow_data(
        vec![card("ev", "control/callable", "Helper", vec![], vec![any("a", "Record"), any("b", "State")])],
        "",
    );
    let stream = card(
        "s",
        "@acme/listThings",
        "List Things",
        vec![
            field("f", Some("Streaming"), "Flow", json!("flo"), json!("h")),
            field("c", Some("Streaming"), "Team", json!("string"), json!("blue")),
        ],
        vec![field("n", Some("Result"), "Records Streamed", json!("number"), json!(0))],
    );
    let cards = vec![
        card("ev", "http/accept", "API Endpoint", vec![], vec![]),
        card(
            "c",
            "@httpfunctions/close",
            "Close",
            vec![field("cs", Some("Response"), "Status Code", json!("number"), json!(202))],
            vec![],
        ),
        stream,
        card(
            "w",
            "control/times",
            "Repeat",
            vec![
                field("wc", None, "count", json!("number"), json!(2)),
                field("wf", None, "flo", json!("flo"), json!("h")),
            ],
            vec![],
        ),
    ];
    let tree = export(vec![("f", "Stream", flow_data(cards, "ev>c c>s s>w")), ("h", "Each", helper)]);
    let (files, _) = imported(&tree);
    insta::assert_snapshot!(files);
}

#[test]
fn what_cannot_be_kept_is_named() {
    let table = |uuid: &str, method: &str, fields: Vec<Value>, outputs: Vec<Value>| {
        let stash = field(&format!("{uuid}s"), Some("parameters"), "stash", json!("string"), json!("t1"));
        card(uuid, &format!("@stash/{method}"), method, [vec![stash], fields].concat(), outputs)
    };
    let row = vec![
        field("re", Some("Fields"), "email", json!("string"), json!("a@b.c")),
        field("rg", Some("Fields"), "gone", json!("string"), json!("x")),
    ];
    let schema = field("sc", Some("Output"), "Column Schema", json!("object"), json!([]));
    let result = field("rr", None, "columns", json!("object"), json!([]));
    let cards = vec![
        card("ev", "control/callable", "Scheduled Flow", vec![], vec![]),
        table("r", "createRow", row, vec![]),
        table("c", "readTable", vec![], vec![schema]).pin("sc", "b", "rr", None),
        card("b", "control/return", "Return", vec![result], vec![]),
        card("b", "control/noop", "The same id", vec![], vec![]),
    ];
    let mut data = flow_data(cards, "ev>r r>c c>b");
    data["cron"] = json!({"seconds": "00", "minutes": "0", "hours": "9", "dayOfTheMonth": "*/1", "month": "*",
        "dayOfTheWeek": "*", "startDate": "2025-01-01", "endDate": "", "recurrence": 0, "timeZone": "UTC"});
    let (files, report) = imported(&export(vec![("f", "Rows", data)]));
    assert!(files.contains("values: { email: a@b.c }"), "{files}");
    assert!(
        files.contains("- name: email\n          type: text\n        - name: seen\n          type: date"),
        "{files}"
    );
    for lost in ["the value of `gone`", "the first day of its schedule", "a card that has no id, or that of another"] {
        assert!(report.report.lost.iter().any(|note| note.what.contains(lost)), "{lost}: {:?}", report.report.lost);
    }
}
