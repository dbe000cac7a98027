//! Exports written after the format's specification (`tests/corpus/made/written`): what they give, run as they are and as imported files.
//!
//! Must never touch the network beyond loopback, nor use a real export.
//! Tests: this is the test.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::server::Server;

fn made(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/corpus/made/written/{name}.flopack"));
    std::fs::read_to_string(path).unwrap()
}

/// Runs the flow `main` out of the export and out of its imported file; both give the same outputs.
fn outputs(export: &str, inputs: &[&str], host: &str) -> Value {
    let home = Home::new();
    home.file("x.flopack", export);
    home.say(&["import", "x.flopack", "--out", "flows"]).check(0, &[]);
    // What an import writes is tidy.
    let tidy = home.say(&["fmt", "--check", "flows/main.flow.yaml"]);
    assert_eq!(tidy.code, 0, "{}{}", tidy.out, tidy.err);
    let mut both = [&["run", "x.flopack", "--flow", "main"][..], &["run", "flows/main.flow.yaml"]].map(|arguments| {
        let given: Vec<&str> = inputs.iter().flat_map(|input| ["--input", *input]).collect();
        let all = [&["--allow-http", host][..], arguments, &given, &["--json", "--no-input"]].concat();
        let said = home.say(&all);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        // The other has rows of its own.
        std::fs::remove_dir_all(home.path("data")).unwrap();
        said.run()["output"].clone()
    });
    assert_eq!(both[0], both[1], "the export and its imported file");
    std::mem::take(&mut both[0])
}

#[track_caller]
fn check(name: &str, inputs: &[&str], wanted: Value) {
    assert_eq!(outputs(&made(name), inputs, "localhost:9"), wanted, "{name}");
}

#[test]
fn every_tables_card_takes_all_its_fields() {
    let columns = ["email", "age", "seen", "active", "n", "note"];
    let kinds = ["text", "number", "date", "boolean", "number", "text"];
    let columns: Vec<Value> =
        columns.iter().zip(kinds).map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    check(
        "tables",
        &[],
        json!({
            // An update without empty inputs leaves the cell; one with them writes over it.
            "note": "changed", "email": "b@x",
            "sorted": ["a@x", "b@x"],
            // `age >= 30 OR email = a@x AND active`, the last row first.
            "first": "", "act": true, "seen": "2024-01-03T00:00:00.000Z",
            "len": 1, "none": null,
            "csv": "email;age\nb@x;20\n;30\n",
            // The table and whether it is cleared come from other cards.
            "new": 2, "cleared": 2,
            "cols": columns,
        }),
    );
}

#[test]
fn filter_custom_keeps_what_its_helper_calls_true() {
    // Of true, "TRUE", "true", 1, "yes", "false", {a: 1}, null, [true] and 0.
    check("filter", &[], json!({"kept": [true, "TRUE", "true"]}));
    check("filter-continue", &[], json!({"kept": [true, "TRUE", "true"]}));
    // Compare is loose itself.
    check("filter-implicit", &[], json!({"kept": [true, "TRUE", "true", 1]}));
    check("filter-two", &[], json!({"kept": []}));
    let home = Home::new();
    home.file("x.flopack", made("filter-two"));
    let said = home.say(&["import", "x.flopack", "--out", "flows"]).check(0, &[]);
    assert!(said.out.contains("must be one value, and the helper gives 2"), "{}", said.out);
}

#[test]
fn joins_give_what_their_lane_feeds_or_what_is_stored() {
    for (n, size, deep) in [("n=1", "dflt", "d2"), ("n=10", "big", "mid"), ("n=100", "big", "huge")] {
        check("joins", &[n], json!({"size": size, "deep": deep}));
    }
}

#[test]
fn branches_are_asked_in_order_and_hand_values_inwards() {
    for (v, out) in [("v=one", "one/418/one"), ("v=two", "second"), ("v=three", "else")] {
        check("branches", &[v], json!({ "out": out }));
    }
}

#[test]
fn pins_convert() {
    check(
        "transforms",
        &[],
        json!({
            "parse": {"a": [1, 2]}, "parsel": [{"q": 1}], "str": "5.5", "num": 12.5, "date": "2024-02-03", "bstr": "true",
            "sfy": "{\"x\":\"y\"}", "nul": null, "wr": ["p"], "wr1": ["12.5kg"], "w": [{"x": "y"}], "sfs": "12.5kg", "nn": "",
            "iso": "2024-03-03T00:00:00.000Z",
        }),
    );
}

#[test]
fn paths_are_keys_first() {
    let nested = json!({"fields": [{"type": "t"}, {"type": "u"}], "x": {"y": {"z": 3}}, "e": ""});
    check(
        "paths",
        &[],
        json!({"deep": 7, "no": null, "next": "L", "n2": "L", "ab": {"c d": [{"e": 7}]}, "con": nested}),
    );
}

#[test]
fn loops_hand_over_items_positions_and_results() {
    check("reduce", &[], json!({"sum": 22, "two": {"was": {"was": null, "v": "x"}, "v": "y"}, "seed": "seed"}));
    check(
        "loops",
        &[],
        json!({
            "whole": [{"res": "u!"}, {"res": "v!"}], "single": ["u!", "v!"], "pairs": ["k1", "k2"],
            "notes": ["t0", "t1", "t2", "p0", "u0"],
        }),
    );
}

#[test]
fn small_cards_of_exports() {
    check(
        "small",
        &[],
        json!({
            "lk": 2, "ai": "in", "a2": "k", "a3": "mult", "rep": "a#b#", "ex": 18, "cs": "A{{{v}}}B {\"x\": 1} ",
            "fb": [{"n": 1}], "fi": "b", "fx": 1, "ap": ["solo"],
        }),
    );
    check("scalar", &[], json!({"n": 1, "s": "one"}));
}

#[test]
fn the_raw_request_of_an_export_reads_any_status() {
    let server = Server::answering(|request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let kept = head.contains("x-own: yes") && head.starts_with("POST /a?b=c+d HTTP") || head.contains("b=c%20d");
        (404, json!({"got": body, "kept": kept}).to_string())
    });
    let export = made("raw").replace("localhost:9", &server.host);
    assert_eq!(
        outputs(&export, &[], &server.host),
        json!({"status": 404, "body": "{\"got\":\"plain text\",\"kept\":true}"})
    );
}
