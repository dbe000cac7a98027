//! Cards of exports that no sample runs: Find Custom, Sort Custom, the loops over an object, Wait Until.
//!
//! Must never touch the network, nor use a real export.
//! Tests: this is the test.

use serde_json::{Map, Value, json};

use crate::support::Home;

/// A field: key, type, constant.
fn field(key: &str, kind: &str, data: Value) -> Value {
    let list = data.is_array();
    json!({"id": key, "group": null, "key": key, "value": {"type": kind, "collection": list, "data": data}, "metadata": {}})
}

/// An input of a helper that takes the item of a loop, or what is at a path in it.
fn item(key: &str, path: &str) -> Value {
    let mut field = field(key, "string", json!(""));
    field["value"]["proxy"] = json!({"dynamic": true, "path": path, "dest": {"key": key, "group": null}});
    field["metadata"] = json!({"custom": true});
    field
}

fn fields(list: Vec<Value>) -> Value {
    let entries = list.into_iter().enumerate().map(|(at, mut field)| {
        field["metadata"]["index"] = at.into();
        (field["id"].as_str().unwrap().to_owned(), field)
    });
    json!({ "data": Value::Object(entries.collect()) })
}

/// A card whose outputs are pinned as `output>card.input`.
fn card(id: &str, name: &str, inputs: Vec<Value>, outputs: &[(&str, &str)], pins: &[&str]) -> Value {
    let (family, method) = name.split_once('/').unwrap();
    let mut pinned = Map::new();
    for pin in pins {
        let (output, to) = pin.split_once('>').unwrap();
        let (card, input) = to.split_once('.').unwrap();
        let of = pinned.entry(output).or_insert_with(|| json!({}));
        of[card] = json!([{"input": input, "transform": null}]);
    }
    let outputs = outputs.iter().map(|(key, kind)| field(key, kind, Value::Null)).collect();
    json!({"uuid": id, "address": format!("root:kernel:{family}:0.0.1:{method}"), "branches": {}, "joins": {}, "pins": pinned,
        "node": {"model": {"displayed": true, "metadata": {"name": id}, "inputs": fields(inputs), "outputs": fields(outputs)}}})
}

/// A flow of cards one after the other.
fn flow(id: &str, cards: Vec<Value>) -> (String, Value) {
    let ids: Vec<&str> = cards.iter().map(|card| card["uuid"].as_str().unwrap()).collect();
    let pairs = ids.windows(2).enumerate().map(|(at, pair)| (format!("e{at}"), json!(pair)));
    let orderings: Map<String, Value> = pairs.collect();
    let data = json!({"cron": {}, "orderings": orderings, "methods": cards});
    (id.to_owned(), json!({"id": id, "name": id, "description": "", "data": data}))
}

fn text(key: &str) -> Value {
    field(key, "string", json!(""))
}

fn helpers() -> [(String, Value); 3] {
    let condition = |key: &str, operator: &str, right: &str| {
        vec![text(key), field("operator", "string", json!(operator)), field("right-operand", "string", json!(right))]
    };
    let given = |outputs: &[(&str, &str)], pins: &[&str]| card("given", "control/callable", vec![], outputs, pins);
    [
        flow(
            "is-bb",
            vec![
                given(&[("a", "string")], &["a>compare.left-operand"]),
                card(
                    "compare",
                    "boolean/compare",
                    condition("left-operand", "==", "bb"),
                    &[("result", "boolean")],
                    &["result>return.ok"],
                ),
                card("return", "control/return", vec![field("ok", "boolean", json!(false))], &[], &[]),
            ],
        ),
        flow(
            "how-long",
            vec![
                given(&[("a", "string")], &["a>length.string"]),
                card("length", "string/length", vec![text("string")], &[("length", "number")], &["length>return.n"]),
                card("return", "control/return", vec![field("n", "number", json!(0))], &[], &[]),
            ],
        ),
        flow(
            "renamed",
            vec![
                given(&[("k", "string"), ("v", "object")], &["k>go-on.left-operand", "k>return.key", "v>return.value"]),
                card("go-on", "control/continueIf", condition("left-operand", "!=", "skipped"), &[], &[]),
                card("return", "control/return", vec![text("key"), field("value", "object", Value::Null)], &[], &[]),
            ],
        ),
    ]
}

fn export(main: Vec<Value>) -> String {
    let flos: Map<String, Value> = std::iter::once(flow("main", main)).chain(helpers()).collect();
    json!({"type": "flopack", "version": "1.5.0", "data": {"configs": {}, "tables": {}, "groups": {}, "flos": flos}})
        .to_string()
}

/// A loop that hands its one or two outputs to Return.
fn looped(name: &str, helper: &str, over: Value, arguments: Vec<Value>, outputs: &[(&str, &str)]) -> Vec<Value> {
    let key = if over.is_object() { "object" } else { "list" };
    let mut inputs =
        vec![field(key, if over.is_object() { "object" } else { "string" }, over), field("flo", "flo", json!(helper))];
    inputs.extend(arguments);
    let pins: Vec<String> = outputs.iter().map(|(key, _)| format!("{key}>return.{key}")).collect();
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    vec![
        card("start", "control/noop", vec![], &[], &[]),
        card("loop", name, inputs, outputs, &pins),
        card(
            "return",
            "control/return",
            outputs.iter().map(|(key, kind)| field(key, kind, Value::Null)).collect(),
            &[],
            &[],
        ),
    ]
}

/// Runs the loop out of the export and out of its imported file; gives what was printed.
fn check(main: Vec<Value>, wanted: &Value) -> String {
    let home = Home::new();
    home.file("loops.flopack", export(main));
    home.say(&["import", "loops.flopack", "--out", "flows"]).check(0, &[]);
    let file = std::fs::read_to_string(home.path("flows/main.flow.yaml")).unwrap();
    let mut all = String::new();
    for arguments in [&["run", "loops.flopack", "--flow", "main"][..], &["run", "flows/main.flow.yaml"]] {
        let run = home.say(&[arguments, &["--json", "--no-input"]].concat());
        assert_eq!(&run.run()["output"], wanted, "{}{}\n{file}", run.out, run.err);
        let said = run.out + &run.err;
        all += &said;
    }
    all
}

#[test]
fn find_custom_asks_until_the_helper_says_true() {
    let outputs = [("item", "string"), ("index", "number")];
    let table =
        [(json!(["a", "bb", "bb"]), json!("bb"), 1), (json!(["a"]), json!(null), -1), (json!([]), json!(null), -1)];
    for (list, found, index) in table {
        let main = looped("list/find", "is-bb", list, vec![item("a", "")], &outputs);
        let said = check(main, &json!({"item": found, "index": index}));
        assert!(!said.contains("loop_1[2].is_bb"), "asked again after it was found:\n{said}");
    }
}

#[test]
fn sort_custom_sorts_by_what_the_helper_returns() {
    let list = json!(["ccc", "a", "bb", "b"]);
    check(
        looped("list/sort", "how-long", list, vec![item("a", "")], &[("list", "string")]),
        &json!({"list": ["a", "b", "bb", "ccc"]}),
    );
}

#[test]
fn map_of_an_object_makes_an_object_and_leaves_out_what_returns_nothing() {
    let object = json!({"a.b": 1, "skipped": 2, "c": {"d": 3}});
    let arguments = vec![item("k", "key"), item("v", "value")];
    check(
        looped("object/process", "renamed", object, arguments, &[("output", "object")]),
        &json!({"output": {"a.b": 1, "c": {"d": 3}}}),
    );
}

#[test]
fn for_each_of_an_object_calls_the_helper_for_every_key() {
    let arguments = vec![item("k", "key"), item("v", "value")];
    check(looped("object/each", "renamed", json!({"a": 1}), arguments, &[]), &json!({}));
}

#[test]
fn map_to_list_makes_an_item_of_every_key() {
    let arguments = vec![item("k", "key"), item("v", "value")];
    let list = json!([{"key": "a", "value": 1}, {"key": "b", "value": [2]}]);
    let mut main = looped("object/map", "renamed", json!({"a": 1, "b": [2]}), arguments, &[("new list", "object")]);
    main[1]["node"]["model"]["outputs"]["data"]["new list"]["value"]["collection"] = json!(true);
    check(main, &json!({"new list": list}));
}

#[test]
fn wait_until_goes_on_at_once_where_the_time_has_passed() {
    let main = vec![
        card("start", "control/noop", vec![], &[], &[]),
        card("until", "control/until", vec![field("date", "Date", json!("2001-02-03T04:05:06Z"))], &[], &[]),
        card("return", "control/return", vec![field("done", "boolean", json!(true))], &[], &[]),
    ];
    check(main, &json!({"done": true}));
}
