//! Every card keeps the card specification, and every example is true.
//!
//! Must never name a card: what holds, holds for all.
//! Tests: this file is one.

use std::collections::HashSet;

use flowdeck_engine::machine::coerce;
use flowdeck_functions::{Function, Functions, Outcome};
use flowdeck_model::{Ambient, CardRole, EffectClass, Fault, FaultCode, FieldType, Fields, Millis, Value};
use proptest::prelude::*;

/// The time and randomness of all examples: 2024-01-15T10:30:00Z.
fn ambient() -> Ambient {
    Ambient { now: Millis(1_705_314_600_000), seed: 7 }
}

/// As a run does it: inputs by declaration, then the card.
fn run(functions: &Functions, function: &Function, inputs: Value) -> Result<Fields, Fault> {
    let decl = function.decl();
    let inputs = coerce::inputs(&decl.inputs, decl.more_inputs.as_ref(), Fields::from_value(inputs))?;
    functions.evaluate(&decl.name, inputs, &ambient())
}

fn fits(value: &Value, kind: &FieldType) -> bool {
    match (kind, value) {
        (_, Value::Null) | (FieldType::Any, _) => true,
        (FieldType::Date, Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        (FieldType::Text, Value::String(_))
        | (FieldType::Number, Value::Number(_))
        | (FieldType::Boolean, Value::Bool(_)) => true,
        (FieldType::Object(_) | FieldType::File, Value::Object(_)) => true,
        (FieldType::List(kind), Value::Array(list)) => list.iter().all(|v| fits(v, kind)),
        _ => false,
    }
}

fn check_outputs(function: &Function, outputs: &Fields, context: &str) {
    let decl = function.decl();
    for field in &decl.outputs {
        assert!(outputs.has(&field.key), "{}: output `{}` is missing, {context}", decl.name, field.key);
    }
    for (key, value) in outputs.iter() {
        let kind = decl.output(key).map(|f| &f.kind).or(decl.more_outputs.as_ref());
        let kind = kind.unwrap_or_else(|| panic!("{}: output `{key}` is not declared, {context}", decl.name));
        assert!(fits(value, kind), "{}: `{key}` is {value}, not {}, {context}", decl.name, kind.word());
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap_or(0.0), y.as_f64().unwrap_or(0.0));
            (x - y).abs() <= 1e-12 * x.abs().max(y.abs())
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| equal(a, b)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, a)| y.get(k).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn every_example_is_true() {
    let functions = Functions::new();
    let mut wrong = Vec::new();
    for function in functions.all() {
        let name = &function.decl().name;
        for example in function.examples() {
            let inputs: Value =
                serde_json::from_str(example.inputs).unwrap_or_else(|e| panic!("{name}: {e}: {}", example.inputs));
            let found = run(&functions, function, inputs);
            match (example.outcome, found) {
                (Outcome::Gives(expected), Ok(found)) => {
                    let expected: Value =
                        serde_json::from_str(expected).unwrap_or_else(|e| panic!("{name}: {e}: {expected}"));
                    check_outputs(function, &found, example.inputs);
                    if !equal(&found.to_value(), &expected) {
                        wrong.push(format!(
                            "{name} {}\n  expected {expected}\n  found    {}",
                            example.inputs,
                            found.to_value()
                        ));
                    }
                }
                (Outcome::Fails(part), Err(fault)) if fault.message.contains(part) => {}
                (outcome, found) => {
                    wrong.push(format!("{name} {}\n  expected {outcome:?}\n  found    {found:?}", example.inputs))
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} examples are not true:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_declaration_keeps_the_specification() {
    let functions = Functions::new();
    let mut names = HashSet::new();
    for function in functions.all() {
        let decl = function.decl();
        let name = decl.name.as_str();
        assert!(names.insert(name.to_owned()), "{name} is declared twice");
        assert_eq!(decl.role, CardRole::Function, "{name}");
        assert!(matches!(decl.effect, EffectClass::Pure | EffectClass::Observe), "{name} is a function");
        assert!(decl.app.is_none() && decl.scopes.is_empty() && decl.pages.is_none(), "{name} needs no connection");
        assert!(!decl.title.is_empty(), "{name} has no title");
        assert!(decl.summary.ends_with('.'), "{name}: the summary is a sentence");
        assert!(
            function.examples().iter().any(|e| matches!(e.outcome, Outcome::Gives(_))),
            "{name} has no example that works"
        );
        for fields in [&decl.inputs, &decl.outputs] {
            let mut keys = HashSet::new();
            for field in fields {
                assert!(keys.insert(&field.key), "{name}: `{}` twice", field.key);
                assert!(!field.key.trim().is_empty(), "{name}: an empty key");
                assert!(field.help.ends_with('.'), "{name}: help of `{}` is a sentence", field.key);
                if let Some(default) = &field.default {
                    assert!(fits(default, &field.kind), "{name}: default of `{}`", field.key);
                    let known = field.choices.is_empty()
                        || default.as_str().is_some_and(|d| field.choices.iter().any(|c| c == d));
                    assert!(known, "{name}: default of `{}` is not a choice", field.key);
                }
            }
        }
        for decision in function.decisions() {
            assert!(decision.question.ends_with('?') && decision.answer.ends_with('.'), "{name}: {decision:?}");
        }
        assert!(functions.has(&decl.name) && functions.card(&decl.name).is_some(), "{name} is found");
    }
}

#[test]
fn a_card_that_is_not_there_is_named() {
    let name = flowdeck_model::CardName::new("string/none").unwrap();
    let fault = Functions::new().evaluate(&name, Fields::new(), &ambient()).unwrap_err();
    assert_eq!(fault.code, FaultCode::UnknownCard);
    assert!(fault.message.contains("string/none"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-100i64..100).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("2024-02-29T10:00:00Z"),
            Just("a,b;c"),
            Just("{\"a\":[1]}"),
            Just("<a b='c'>d</a>"),
            Just("YYYY-MM-DD"),
            Just("days")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-d.0-2]{1,4}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_card_panics_and_outputs_keep_their_types(values in proptest::collection::vec(any_value(), 12), raw in any::<bool>()) {
        let functions = Functions::new();
        for function in functions.all() {
            let decl = function.decl();
            let mut given = serde_json::Map::new();
            let mut values = values.iter();
            for (i, field) in decl.inputs.iter().enumerate() {
                let choice = field.choices.get(i % field.choices.len().max(1)).map(|c| Value::from(c.as_str()));
                let value = choice.filter(|_| !raw).or_else(|| values.next().cloned()).unwrap_or_default();
                given.insert(field.key.clone(), value);
            }
            if decl.more_inputs.is_some() {
                for (key, value) in ["a", "b.0"].iter().zip(values) {
                    given.insert((*key).to_owned(), value.clone());
                }
            }
            let given = Value::Object(given);
            let text = given.to_string();
            let found = if raw {
                functions.evaluate(&decl.name, Fields::from_value(given), &ambient())
            } else {
                run(&functions, function, given)
            };
            if let Ok(outputs) = found {
                check_outputs(function, &outputs, &text);
            }
        }
    }
}
