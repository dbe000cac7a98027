//! The most used cards with what no example has: wrong types, nothing at all, odd texts, many braces.
//!
//! Must never hang: each table ends by itself or the gate stops it.
//! Tests: this file is one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use flowdeck_engine::machine::coerce;
use flowdeck_functions::Functions;
use flowdeck_model::{Ambient, CardName, Fault, Fields, Millis, Value};
use serde_json::json;

fn run(card: &str, inputs: Value) -> Result<Value, Fault> {
    run_of(&Functions::new(), card, inputs)
}

fn run_of(functions: &Functions, card: &str, inputs: Value) -> Result<Value, Fault> {
    let name = CardName::new(card).unwrap();
    let decl = functions.card(&name).unwrap().clone();
    let inputs = coerce::inputs(&decl.inputs, decl.more_inputs.as_ref(), Fields::from_value(inputs))?;
    functions.evaluate(&name, inputs, &Ambient { now: Millis(1_705_314_600_000), seed: 7 }).map(|out| out.to_value())
}

#[track_caller]
fn gives(card: &str, inputs: Value, key: &str, expected: &Value) {
    let found = run(card, inputs.clone()).unwrap_or_else(|fault| panic!("{card} {inputs}: {fault:?}"));
    assert_eq!(&found[key], expected, "{card} {inputs}");
}

#[track_caller]
fn fails(card: &str, inputs: Value, part: &str) {
    let fault = run(card, inputs.clone()).expect_err(&format!("{card} {inputs}"));
    assert!(fault.message.contains(part), "{card} {inputs}: {}", fault.message);
}

#[test]
fn no_odd_value_of_any_input_of_any_card_is_more_than_a_fault() {
    let functions = Functions::new();
    let odd = [
        json!(null),
        json!(""),
        json!("NaN"),
        json!("Infinity"),
        json!("1e400"),
        json!(-0.0),
        json!(1e308),
        json!(u64::MAX),
        json!([]),
        json!([[[]], [null]]),
        json!({}),
        json!({"": {"": null}}),
        json!("\u{feff}e\u{301}👩‍👩‍👧\u{0}"),
        json!("{{{{{{"),
        json!("9999-12-31T23:59:59Z"),
        json!("0000-02-30"),
        json!(true),
    ];
    let mut count = 0;
    for function in functions.all() {
        let decl = function.decl();
        for value in &odd {
            let all: Value = decl.inputs.iter().map(|f| (f.key.clone(), value.clone())).collect();
            let _ = run_of(&functions, decl.name.as_str(), all);
            for field in &decl.inputs {
                let mut inputs = serde_json::Map::new();
                inputs.insert(field.key.clone(), value.clone());
                inputs.insert("added by the user".into(), value.clone());
                // Whatever it answers: it answers, and a fault has words.
                if let Err(fault) = run_of(&functions, decl.name.as_str(), Value::Object(inputs)) {
                    assert!(!fault.message.is_empty(), "{} {}: {fault:?}", decl.name, field.key);
                }
                count += 1;
            }
        }
    }
    assert!(count > 3_000, "{count}");
}

#[test]
fn numbers_are_numbers_and_their_texts_are_only_plain_ones() {
    for text in ["NaN", "nan", "Infinity", "-inf", "1e400", "0x10", "1,000", "1 000", "1_000", "one", "٣"] {
        fails("math/add", json!({"a": text, "b": 1}), "must be number");
    }
    for (text, expected) in
        [(" 5 ", json!(6)), ("", json!(1)), ("+5", json!(6)), (".5", json!(1.5)), ("1e2", json!(101))]
    {
        gives("math/add", json!({"a": text, "b": 1}), "output", &expected);
    }
    fails("math/add", json!({"a": [1], "b": 1}), "must be number");
    fails("math/multiply", json!({"a": 1e308, "b": 10}), "too large");
    fails("math/divide", json!({"a": 1e308, "b": 1e-308}), "too large");
    fails("math/divide", json!({"a": 0, "b": "0"}), "divided by zero");
    gives("math/divide", json!({"a": 2, "b": 3, "decimals": -5}), "output", &json!(1));
    for (number, expected) in [(-0.5, 0.0), (0.5, 1.0), (1.5, 2.0), (-1.5, -1.0), (1e300, 1e300), (-0.2, 0.0)] {
        let found = run("math/round", json!({"a": number})).unwrap();
        assert_eq!(found["output"].as_f64(), Some(expected), "{number}");
    }
}

#[test]
fn texts_count_code_points_and_lose_none() {
    let family = "👩‍👩‍👧";
    gives("string/length", json!({"string": family}), "length", &json!(5));
    gives("string/length", json!({"string": "e\u{301}"}), "length", &json!(2));
    gives("string/substr", json!({"string": "a😀b", "start": 1, "end": 2}), "output", &json!("😀"));
    gives("string/substr", json!({"string": "abc", "start": 9e15}), "output", &json!(""));
    gives("string/substr", json!({"string": "abc", "start": -9e15, "end": 9e15}), "output", &json!("abc"));
    gives("string/split", json!({"string": "a😀", "delimiter": ""}), "output", &json!(["a", "😀"]));
    gives("string/find", json!({"string": "😀a", "substr": "a"}), "output", &json!(1));
    gives("string/find", json!({"string": "abc", "substr": ""}), "output", &json!(0));
    for (index, expected) in [(0, -1), (1, -1), (2, 2), (3, 2), (4, 4), (99, 4), (-1, -1)] {
        let inputs = json!({"string": "ééaéa", "substr": "a", "index": index});
        gives("string/lastIndexOf", inputs, "output", &json!(expected));
    }
    gives("string/lastIndexOf", json!({"string": "éaé", "substr": "é", "index": 1}), "output", &json!(0));
    gives("string/trim", json!({"string": "\u{feff} \u{a0}a\u{85}\u{2028}"}), "output", &json!("a\u{85}"));
    gives("string/trimLeft", json!({"string": "\u{feff}a "}), "output", &json!("a "));
    gives("string/trimRight", json!({"string": " a\u{feff}"}), "output", &json!(" a"));
    gives("string/base64Decode", json!({"string": "IB=="}), "output", &json!(" "));
    gives("string/base64Decode", json!({"string": "YQ"}), "output", &json!("a"));
    gives("string/base64Decode", json!({"string": "_-8-"}), "output", &json!("\u{fffd}\u{fffd}>"));
    for wrong in ["a", "YQ=x", "a*b="] {
        fails("string/base64Decode", json!({"string": wrong}), "not Base64");
    }
}

#[test]
fn a_template_full_of_braces_takes_no_longer_than_one_full_of_text() {
    let many = 2_000_000;
    for text in [
        "{".repeat(many),
        format!("{}{}", "{".repeat(many), "}}}"),
        format!("{}{}", "{{{ ".repeat(many / 4), "}}}"),
        format!("{}{}{}", "{".repeat(many / 2), " ".repeat(many / 2), "}}}"),
    ] {
        gives("string/compose", json!({"_text_": text, "a": 1}), "output", &json!(text));
    }
    gives("string/compose", json!({"_text_": "{{{{{a}}}}}", "a": 1}), "output", &json!("{{1}}"));
    gives(
        "string/compose",
        json!({"_text_": "{{{a}}}{{{b}}}{{{a}}}", "a": 1, "b": "{{{a}}}"}),
        "output",
        &json!("1{{{a}}}1"),
    );
}

#[test]
fn a_list_is_counted_before_it_is_made() {
    let long = "a,".repeat(1_000_001);
    fails("string/split", json!({"string": long}), "more than 1000000 items");
    fails("string/split", json!({"string": long, "delimiter": ""}), "more than 1000000 items");
    fails("string/lines", json!({"string": "\n".repeat(1_000_001)}), "more than 1000000 items");
    gives(
        "string/split",
        json!({"string": "é".repeat(600_000), "delimiter": "x"}),
        "output",
        &json!(["é".repeat(600_000)]),
    );
}

#[test]
fn lists_of_lists_keep_their_shape() {
    gives("list/flatten", json!({"lists": [[1, [2, [3]]], [], [[]]]}), "list", &json!([1, [2, [3]], []]));
    gives(
        "list/pluck",
        json!({"list": [[{"a": 1}], {"a": {"b": 2}}, null, 3], "key": "a.b"}),
        "values",
        &json!([null, 2, null, null]),
    );
    gives("list/pluck", json!({"list": [["x", "y"]], "key": "1"}), "values", &json!(["y"]));
    gives(
        "list/join",
        json!({"list": [[1, 2], {"a": 1}, null], "delimiter": "|"}),
        "string",
        &json!("[1,2]|{\"a\":1}|"),
    );
    gives("list/uniqueBy", json!({"list": [[1], [1.0], ["1"], null, null]}), "unique list", &json!([[1], ["1"], null]));
    gives("list/at", json!({"list": [[1], [2]], "index": "1"}), "item", &json!([2]));
    fails("list/at", json!({"list": [], "index": 0}), "Array index out of bounds");
    fails("list/at", json!({"list": [1], "index": -2}), "Array index out of bounds");
    // A value that is no list is a list of one.
    gives("list/length", json!({"list": {"a": 1}}), "length", &json!(1));
    gives("list/difference", json!({"list1": [[1], [2]], "list2": [[1.0]]}), "list", &json!([[2]]));
}

#[test]
fn no_fault_repeats_a_secret_input() {
    let functions = Functions::new();
    let canary = "canary-5f0e";
    let forms = [json!(canary), json!([canary]), json!({ "k": canary }), json!(format!("-----BEGIN {canary}-----"))];
    let mut count = 0;
    for function in functions.all() {
        let decl = function.decl();
        for field in decl.inputs.iter().filter(|f| f.secret) {
            for form in &forms {
                for other in [json!(null), json!(""), json!("x"), json!("RS256"), json!({})] {
                    let mut inputs: serde_json::Map<_, _> = decl
                        .inputs
                        .iter()
                        .filter(|f| f.choices.is_empty())
                        .map(|f| (f.key.clone(), other.clone()))
                        .collect();
                    inputs.insert(field.key.clone(), form.clone());
                    if let Err(fault) = run_of(&functions, decl.name.as_str(), Value::Object(inputs)) {
                        assert!(!format!("{fault:?}").contains("canary"), "{}: {fault:?}", decl.name);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 20, "{count}");
}
