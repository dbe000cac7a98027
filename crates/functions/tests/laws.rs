//! Laws that hold between cards: what one makes the other reads, sets behave as sets, spans of time add up.
//!
//! Must never test a card by itself: examples do.
//! Tests: this file is one.

use flowdeck_functions::Functions;
use flowdeck_model::{Ambient, CardName, Fields, Millis, Value};
use proptest::prelude::*;
use serde_json::{Map, json};

thread_local! {
    static FUNCTIONS: Functions = Functions::new();
}

/// Computes a card.
fn run(card: &str, inputs: Value) -> Value {
    let name = CardName::new(card).unwrap();
    let ambient = Ambient { now: Millis(1_705_314_600_000), seed: 7 };
    let found = FUNCTIONS.with(|f| f.evaluate(&name, Fields::from_value(inputs.clone()), &ambient));
    found.unwrap_or_else(|fault| panic!("{card} {inputs}: {fault:?}")).to_value()
}

fn out(card: &str, inputs: Value) -> Value {
    run(card, inputs)["output"].clone()
}

/// Any JSON; numbers as JSON keeps them exactly.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(|n: f64| Value::from(n)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|p| Value::Object(p.into_iter().collect())),
        ]
    })
}

/// Short lists of few values, so that they meet.
fn items() -> impl Strategy<Value = Vec<Value>> {
    let item = prop_oneof![
        (0..5i64).prop_map(Value::from),
        "[ab1]{0,1}".prop_map(Value::from),
        Just(Value::Null),
        (0..2i64).prop_map(|n| json!({ "n": n })),
    ];
    proptest::collection::vec(item, 0..8)
}

/// An XML element's content, as Parse gives it.
fn xml_value() -> impl Strategy<Value = Value> {
    // White space at the ends is trimmed when it is read.
    let text = || "([!-~é😀]([ -~\t\né]{0,8}[!-~é])?)?".prop_map(|t: String| t);
    let leaf = text().prop_map(Value::from);
    leaf.prop_recursive(3, 16, 3, move |inner| {
        let child = prop_oneof![
            3 => inner.clone(),
            1 => proptest::collection::vec(inner, 2..4).prop_map(Value::from),
        ];
        let attribute = "[ -~\t\n]{0,6}".prop_map(Value::from);
        let children = proptest::collection::btree_map("[a-z][a-z0-9_.-]{0,4}", child, 0..3);
        let attributes = proptest::collection::btree_map("@[a-z]{1,4}", attribute, 0..2);
        (children, attributes, text()).prop_map(|(children, attributes, text)| {
            let mut map: Map<String, Value> = attributes.into_iter().chain(children).collect();
            if map.is_empty() {
                return Value::from(text);
            }
            if !text.is_empty() {
                map.insert("#text".into(), Value::from(text));
            }
            Value::Object(map)
        })
    })
}

/// Milliseconds from 1970 to 2100.
fn instant() -> impl Strategy<Value = i64> {
    0..4_102_444_800_000i64
}

fn date(ms: i64) -> Value {
    out("date/fromEpoch", json!({ "number": ms, "unit": "milliseconds" }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn join_undoes_split(text in any::<String>(), separator in "[,;|é]{1,2}") {
        // The two characters `\n` and `\t` in a separator are a line end and a tab; none is made here.
        let pieces = out("string/split", json!({ "string": text, "delimiter": separator }));
        let joined = run("list/join", json!({ "list": pieces, "delimiter": separator }));
        prop_assert_eq!(&joined["string"], &Value::from(text));
    }

    #[test]
    fn parse_undoes_stringify(value in json_value(), pretty in any::<bool>()) {
        let text = out("json/stringify", json!({ "object": value, "pretty": pretty }));
        prop_assert_eq!(out("json/parse", json!({ "string": text })), value);
    }

    #[test]
    fn decoding_undoes_encoding(text in any::<String>()) {
        for (encode, decode) in [
            ("url/encodeComponent", "url/decodeComponent"),
            ("string/base64", "string/base64Decode"),
            ("string/hex", "string/hexDecode"),
            ("string/htmlEncode", "string/htmlDecode"),
        ] {
            let coded = out(encode, json!({ "string": text }));
            prop_assert_eq!(out(decode, json!({ "string": coded })), Value::from(text.clone()), "{}", encode);
        }
    }

    #[test]
    fn a_query_is_read_as_it_was_written(pairs in proptest::collection::btree_map("[^\u{0}]{1,6}", any::<String>(), 0..5)) {
        let data: Map<String, Value> = pairs.into_iter().map(|(k, v)| (k, Value::from(v))).collect();
        let text = out("url/encode", json!({ "data": data }));
        let read = out("url/decode", json!({ "string": text }));
        prop_assert_eq!(read, Value::Object(data));
    }

    #[test]
    fn csv_is_read_as_it_was_written(
        columns in proptest::collection::btree_set("[^\r\n]{1,6}", 1..4),
        cells in proptest::collection::vec(proptest::collection::vec(any::<String>(), 3), 0..5),
        delimiter in prop_oneof![Just(","), Just(";"), Just("\\t"), Just("|")],
    ) {
        let columns: Vec<String> = columns.into_iter().collect();
        prop_assume!(!columns[0].starts_with('\u{feff}'));
        let rows: Vec<Value> = cells
            .into_iter()
            .map(|row| Value::Object(columns.iter().cloned().zip(row.into_iter().map(Value::from)).collect()))
            .collect();
        let text = out("csv/build", json!({ "list": rows, "columns": columns, "delimiter": delimiter }));
        let read = run("csv/parse", json!({ "string": text, "delimiter": delimiter }));
        prop_assert_eq!(&read["rows"], &Value::Array(rows));
        prop_assert_eq!(&read["columns"], &json!(columns));
    }

    #[test]
    fn xml_is_read_as_it_was_written(value in xml_value()) {
        let object = json!({ "root": value });
        let text = out("xml/build", json!({ "object": object }));
        prop_assert_eq!(out("xml/parse", json!({ "string": text })), object, "{}", text);
    }

    #[test]
    fn a_file_holds_its_bytes(text in any::<String>()) {
        let file = run("filefunctions/create", json!({ "content": text, "filename": "a.txt" }))["file"].clone();
        prop_assert_eq!(&run("filefunctions/read", json!({ "file": file }))["text"], &Value::from(text.clone()));
        prop_assert_eq!(&run("filefunctions/info", json!({ "file": file }))["size"], &json!(text.len()));
    }

    #[test]
    fn lists_are_sets(a in items(), b in items()) {
        let two = json!({ "list1": a, "list2": b });
        let union = run("list/union", two.clone())["union"].as_array().unwrap().clone();
        let both = run("list/intersection", two.clone())["list"].as_array().unwrap().clone();
        let only = run("list/difference", two.clone())["list"].as_array().unwrap().clone();
        let back = run("list/difference", json!({ "list1": b, "list2": a }))["list"].as_array().unwrap().clone();
        // |A ∪ B| = |A ∩ B| + |A \ B| + |B \ A|, and A is put together of two of them.
        prop_assert_eq!(union.len(), both.len() + only.len() + back.len());
        let once = run("list/uniqueBy", json!({ "list": a }))["unique list"].as_array().unwrap().clone();
        prop_assert_eq!(once.len(), both.len() + only.len());
        prop_assert!(only.iter().all(|x| !b.contains(x)) && both.iter().all(|x| a.contains(x) && b.contains(x)));
        let again = run("list/union", json!({ "list1": union, "list2": a }));
        prop_assert_eq!(&again["union"], &Value::Array(union));
        let combined = out("list/concat", two);
        prop_assert_eq!(combined.as_array().unwrap().len(), a.len() + b.len());
    }

    #[test]
    fn sorting_keeps_items_and_orders_them(list in items()) {
        let sorted = run("list/sortBy", json!({ "list": list }))["sorted list"].clone();
        prop_assert_eq!(&run("list/sortBy", json!({ "list": sorted }))["sorted list"], &sorted);
        let count = |list: &Value| out("list/countBy", json!({ "list": list }));
        let (mut before, mut after) = (count(&json!(list)), count(&sorted));
        before.as_object_mut().unwrap().sort_keys();
        after.as_object_mut().unwrap().sort_keys();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn ends_of_lists_come_off_and_go_on(list in items(), item in any::<i64>()) {
        let longer = run("list/push", json!({ "list": list, "item": item }));
        prop_assert_eq!(&run("list/pop", json!({ "list": longer["list"] })), &json!({ "list": list, "item": item }));
        let longer = run("list/unshift", json!({ "list": list, "item": item }));
        prop_assert_eq!(&run("list/shift", json!({ "list": longer["list"] })), &json!({ "list": list, "item": item }));
        let turned = run("list/reverse", json!({ "list": list }));
        prop_assert_eq!(&run("list/reverse", turned)["list"], &json!(list));
        let parts = run("list/chunk", json!({ "list": list, "size": 3 }));
        prop_assert_eq!(&run("list/flatten", parts)["list"], &json!(list));
    }

    #[test]
    fn objects_go_apart_and_together(pairs in proptest::collection::btree_map("[a-z]{1,4}", 0..9i64, 0..5)) {
        let object = json!(pairs);
        let apart = run("object/unzip", json!({ "object": object }));
        prop_assert_eq!(&out("object/zip", apart), &object);
        let split = run("object/split", json!({ "object": object }));
        prop_assert_eq!(&out("list/collapse", split), &object);
    }

    #[test]
    fn what_is_set_is_got(path in "[a-z]{1,3}(\\.([a-z]{1,3}|[0-9])){0,3}", value in json_value()) {
        let object = out("object/set", json!({ "object": {}, "path": path, "value": value }));
        prop_assert_eq!(out("object/get", json!({ "object": object, "path": path })), value);
    }

    #[test]
    fn numbers_add_up(a in -1_000_000_000i64..1_000_000_000, b in 1i64..1_000_000) {
        let sum = out("math/add", json!({ "a": a, "b": b }));
        prop_assert_eq!(out("math/subtract", json!({ "a": sum, "b": b })), json!(a));
        let product = out("math/multiply", json!({ "a": a, "b": b }));
        prop_assert_eq!(out("math/divide", json!({ "a": product, "b": b })), json!(a));
        let formula = out("math/expression", json!({ "_text_": "{{{a}}} * {{{b}}} - -{{{b}}} ^ 2 / {{{b}}}", "a": a, "b": b }));
        prop_assert_eq!(formula, json!(a * b + b));
    }

    #[test]
    fn spans_of_time_come_off_again(ms in instant(), scale in 0i64..2000, unit in prop_oneof![
        Just("milliseconds"), Just("seconds"), Just("minutes"), Just("hours"), Just("days"), Just("weeks"),
    ]) {
        let start = date(ms);
        let later = out("date/add", json!({ "start": start, "scale": scale, "unit": unit }));
        prop_assert_eq!(&out("date/subtract", json!({ "start": later, "scale": scale, "unit": unit })), &start);
        if unit != "weeks" && unit != "milliseconds" {
            let span = run("date/diff", json!({ "start": later, "end": start }));
            prop_assert!((span[unit].as_f64().unwrap() - scale as f64).abs() < 1e-6, "{} {}", span, unit);
        }
    }

    #[test]
    fn a_date_is_read_as_it_was_written(ms in instant(), zone in prop_oneof![
        Just("UTC"), Just("America/Los_Angeles"), Just("Asia/Calcutta"), Just("Australia/Sydney"), Just("+05:45"),
    ]) {
        let start = date(ms);
        prop_assert_eq!(out("date/unix", json!({ "start": start })), json!(ms));
        for format in ["YYYY-MM-DDTHH:mm:ss.SSSZ", "x", "dddd, MMMM D, Y hh:mm:ss.SSS A ZZ", "DDDD YYYY H:m:s.SSS Z", ""] {
            let text = out("date/format", json!({ "start": start, "format": format, "zone": zone }));
            let read = out("date/parse", json!({ "start": text, "format": format, "zone": zone }));
            let unix = out("date/unix", json!({ "start": read }));
            // ISO 8601 without a format has no fraction.
            let expected = if format.is_empty() { json!(ms - ms % 1000) } else { json!(ms) };
            prop_assert_eq!(unix, expected, "{} by {}", text, format);
        }
    }
}
