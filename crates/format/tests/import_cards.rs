//! What single cards of exports become: error policies, tables, Export Flow, what helpers return.
//!
//! Must never copy a real export: each is written after the specification.
//! Tests: these are the tests.

use crate::common;
use crate::import_support;

use flowdeck_format::{Source, import, print, read};
use import_support::{Card, card, export, field, flow_data};
use serde_json::{Value, json};

fn text(id: &str, key: &str, data: &str) -> Value {
    field(id, None, key, json!("string"), json!(data))
}

fn start() -> Card {
    card("ev", "control/callable", "Helper Flow", vec![], vec![])
}

/// The native text of the flow `main`, and the report.
fn imported(flows: Vec<(&str, &str, Value)>) -> (String, import::Report) {
    imported_tree(&export(flows))
}

fn imported_tree(tree: &Value) -> (String, import::Report) {
    let catalogue = common::TestCatalogue::new();
    let (found, _) = import::read("test.flopack", tree.to_string().as_bytes(), &catalogue);
    let found = found.unwrap();
    for flow in &found.flows {
        let whole = found.whole(flow.name.as_str()).unwrap();
        let printed = print(&whole);
        let back = read(&Source::new("back.yaml", &printed), None);
        assert_eq!(back.flows.first(), Some(&whole), "{:?}\n{printed}", back.diagnostics);
    }
    let main = found.flows.iter().find(|f| f.name.as_str() == "main").unwrap();
    (print(main), found.report)
}

fn check(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
}

fn search(column: &str, direction: &str) -> Card {
    let sort = |id: &str, key: &str, data: &str| field(id, Some("Sort"), key, json!("string"), json!(data));
    let inputs = vec![
        field("p1", Some("parameters"), "stash", json!("string"), json!("t1")),
        sort("s1", "Column", column),
        sort("s2", "Direction", direction),
    ];
    card("s", "@stash/searchRows2", "Search Rows", inputs, vec![])
}

#[test]
fn rows_come_in_the_order_that_was_asked_for() {
    for (column, direction, wanted, never) in [
        ("_id", "desc", "descending: true", "sort:"),
        ("_id", "asc", "tables/search", "descending"),
        ("email", "desc", "descending: true", "-"),
        ("email", "asc", "sort: email", "descending"),
        // Okta's own default.
        ("email", "", "descending: true", "-"),
        ("", "desc", "tables/search", "descending"),
    ] {
        let (text, report) =
            imported(vec![("f1", "Main", flow_data(vec![start(), search(column, direction)], "ev>s"))]);
        check(&text, &[wanted]);
        assert!(never == "-" || !text.contains(never), "{column} {direction}\n{text}");
        assert!(report.lost.is_empty(), "{:?}", report.lost);
    }
}

#[test]
fn csv_cards_keep_their_options() {
    let option = |id: &str, key: &str, data: Value| field(id, Some("Options"), key, json!("string"), data);
    let stash = |id: &str| field(id, Some("parameters"), "stash", json!("string"), json!("t1"));
    let filter = json!({"expr": [{"lhs": "email", "op": "=", "rhs": "a@b.c", "join": "AND"}]});
    let out = card(
        "x",
        "@stash/exportToCSV",
        "Export",
        vec![
            stash("x1"),
            field("x2", Some("File"), "Filename", json!("string"), json!("people.csv")),
            option("x3", "Delimiter", json!(";")),
            option("x4", "Limit", json!(5)),
            option("x5", "Columns", json!(["email"])),
            field("x6", Some("Filter"), "Where Expression", json!("object"), filter),
        ],
        vec![field("xo", Some("CSV"), "File Content", json!("file"), json!(null))],
    )
    .pin("xo", "i", "i2", None);
    let into = card(
        "i",
        "@stash/importFromCSV",
        "Import",
        vec![
            stash("i1"),
            field("i2", Some("Source"), "File Content", json!("file"), json!(null)),
            option("i3", "Delimiter", json!(";")),
            option("i4", "Select", json!(["email"])),
            option("i5", "Mapping", json!({"mail": "email"})),
            option("i6", "Clear Destination", json!(true)),
        ],
        vec![],
    );
    let (text, _) = imported(vec![("f1", "Main", flow_data(vec![start(), out, into], "ev>x x>i"))]);
    check(
        &text,
        &["filename: people.csv", "limit: 5", "columns: [email]", "compare: equals", ".file}", "replace: true"],
    );
    check(&text, &["select: [email]", "mail: email"]);
    assert_eq!(text.matches("delimiter: ;\n").count(), 2, "{text}");
}

#[test]
fn export_flow_holds_the_definition() {
    let writes = |flow: &str| {
        let inputs = vec![
            field("w1", None, "flo", json!("flo"), json!(flow)),
            field("w2", None, "pretty", json!("boolean"), json!(true)),
        ];
        flow_data(vec![start(), card("w", "utility/exportFlo", "Export Flow", inputs, vec![])], "ev>w")
    };
    let other = || flow_data(vec![start(), card("n", "date/now", "Now", vec![], vec![])], "ev>n");
    let (text, report) = imported(vec![("f1", "Main", writes("f2")), ("f2", "Other", other())]);
    check(&text, &["flo:", "name: Other", "root:kernel:date:0.0.1:now"]);
    assert!(report.lost.is_empty(), "{:?}", report.lost);
    let (_, report) = imported(vec![("f1", "Main", writes("gone"))]);
    assert!(report.lost.iter().any(|n| n.what.contains("not in the export")), "{:?}", report.lost);
}

#[test]
fn what_a_flow_returns_is_declared() {
    let back = card("r", "control/return", "Return", vec![text("r1", "first", "a"), text("r2", "second", "b")], vec![]);
    let (text, _) = imported(vec![("f1", "Main", flow_data(vec![start(), back], "ev>r"))]);
    check(&text, &["outputs:", "first: any", "second: any"]);
}

fn failing(policy: Value) -> Card {
    let mut own = text("x1", "message", "it went wrong");
    own["value"]["error"] = json!(true);
    card("x", "@okta/readUser", "Read User", vec![own], vec![]).with("/node/model/policy/error", policy)
}

#[test]
fn error_policies_end_in_an_error() {
    let handler = flow_data(
        vec![
            card(
                "ev",
                "control/callable",
                "Helper Flow",
                vec![],
                vec![
                    field("h1", Some("context"), "error", json!("object"), json!({})),
                    field("h2", Some("context"), "parent", json!("object"), json!({})),
                    text("h3", "message", ""),
                ],
            )
            .pin("h1", "r", "r1", None)
            .pin("h2", "r", "r2", None),
            card("r", "control/return", "Return", vec![text("r1", "error", ""), text("r2", "parent", "")], vec![]),
        ],
        "ev>r",
    );
    let main = flow_data(vec![start(), failing(json!({"type": "flo", "flo": "f2"}))], "ev>x");
    let (text, _) = imported(vec![("f1", "Main", main), ("f2", "Handler", handler)]);
    check(&text, &["call_flow: handler", "return_error:", "status: ${problem.statusCode}", "name: Main", "method: x"]);
    assert!(text.find("call_flow: handler") < text.find("return_error:"), "{text}");
    assert!(!text.contains("continue_if"), "{text}");

    let main = flow_data(vec![start(), failing(json!({"type": "return"}))], "ev>x");
    let (text, _) = imported(vec![("f1", "Main", main)]);
    check(&text, &["message: it went wrong", "return_error:"]);

    let plain = card("x", "@okta/readUser", "Read User", vec![], vec![]);
    let main = flow_data(vec![start(), plain.with("/node/model/policy/error", json!({"type": "return"}))], "ev>x");
    let (text, _) = imported(vec![("f1", "Main", main)]);
    assert!(!text.contains("try:"), "{text}");
}

#[test]
fn the_default_of_a_column_stands_where_rows_are_made() {
    let row = |uuid: &str, method: &str| {
        let stash = field(&format!("{uuid}s"), Some("parameters"), "stash", json!("string"), json!("t1"));
        let email = field(&format!("{uuid}e"), Some("Fields"), "email", json!("string"), json!("a@b.c"));
        card(uuid, &format!("@stash/{method}"), method, vec![stash, email], vec![])
    };
    let mut tree = export(vec![(
        "f1",
        "Main",
        flow_data(vec![start(), row("c", "createRow"), row("u", "updateRow")], "ev>c c>u"),
    )]);
    let column = |name: &str, kind: &str, default: Value| json!({"name": name, "type": kind, "default": default});
    tree["data"]["tables"]["t1"]["data"]["structure"] = json!([
        column("email", "str", json!("nobody")),
        column("gone", "bln", json!("false")),
        column("tries", "dec", json!("3")),
        column("kind", "str", json!("guest")),
        column("seen", "dte", json!(null))
    ]);
    let (text, report) = imported_tree(&tree);
    check(&text, &["values: { email: a@b.c, gone: false, tries: 3, kind: guest }", "values: { email: a@b.c }"]);
    assert!(report.changed.iter().any(|note| note.what.contains("the default of a column")), "{:?}", report.changed);
    assert!(report.lost.is_empty(), "{:?}", report.lost);
}

#[test]
fn a_helper_that_looks_for_its_record_in_the_record_finds_it() {
    let inputs = vec![field("hr", None, "Record", json!("object"), json!({})), text("hs", "State", "")];
    let event = card("ev", "control/callable", "Helper Flow", vec![], inputs).pin("hr", "p", "po", None);
    let pick = card(
        "p",
        "object/pick",
        "Get Multiple",
        vec![field("po", None, "object", json!("object"), json!({}))],
        vec![field("pr", None, "Record", json!("object"), json!({})), text("ps", "State", "")],
    );
    let stream = card(
        "s",
        "@acme/listThings",
        "List Things",
        vec![
            field("f", Some("Streaming"), "Flow", json!("flo"), json!("h")),
            field("c", Some("Streaming"), "Team", json!("string"), json!("blue")),
        ],
        vec![],
    );
    let main = flow_data(vec![start(), stream], "ev>s");
    let (text, _) = imported(vec![("f1", "Main", main.clone()), ("h", "Each", flow_data(vec![event, pick], "ev>p"))]);
    check(&text, &["Record:\n            Record: ${record_1}\n            State: { Team: blue }\n          State: {"]);
    let other = field("hs", None, "State", json!("string"), json!(""));
    let inputs = vec![field("hr", None, "Record", json!("object"), json!({})), other];
    let event = card("ev", "control/callable", "Helper Flow", vec![], inputs);
    let (text, _) = imported(vec![("f1", "Main", main), ("h", "Each", flow_data(vec![event], ""))]);
    check(&text, &["with:\n          Record: ${record_1}\n          State: { Team: blue }"]);
}
