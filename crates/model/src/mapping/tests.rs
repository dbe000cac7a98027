//! Tests of mappings: tables of expressions, hostile texts, round trips.
//!
//! Must never depend on order or time.
//! Tests: this is the test.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[derive(Default)]
struct Names(BTreeMap<String, Arc<Value>>, Fields);

impl Scope for Names {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        if name == "idle" { Some(Root::Fields(&self.1)) } else { self.0.get(name).map(Root::Value) }
    }
}

fn names() -> Names {
    let user = json!({"ID": "u1", "Last Login": null, "n": 4, "tags": ["a", "b"], "name": "Ada", "on": true, "i": 1});
    let list = json!([10, 20, 30]);
    let mut idle = Fields::new();
    idle.set("days", 91);
    idle.set("big", json!([1, 2, 3]));
    Names(BTreeMap::from([("user".into(), Arc::new(user)), ("list".into(), Arc::new(list))]), idle)
}

fn value(text: &str) -> Result<Value, String> {
    let mapping = Mapping::parse(&json!(text)).map_err(|e| format!("parse: {e}"))?;
    mapping.evaluate(&names()).map(|v| (*v).clone()).map_err(|f| f.message)
}

#[test]
fn a_table_of_mappings() {
    let table: Vec<(&str, Value)> = vec![
        ("plain", json!("plain")),
        ("${user.n}", json!(4)),
        ("${user['Last Login']}", json!(null)),
        ("${user.missing.deeper[3]}", json!(null)),
        ("${user.tags[1]}", json!("b")),
        ("${user.tags}", json!(["a", "b"])),
        ("${idle.days}", json!(91)),
        ("${idle}", json!({"days": 91, "big": [1, 2, 3]})),
        ("Hello ${user.name}, ${user.n}!", json!("Hello Ada, 4!")),
        ("[${user['Last Login']}]", json!("[]")),
        ("${user.tags} x", json!("[\"a\",\"b\"] x")),
        ("$${user.n}", json!("${user.n}")),
        ("cost: $5 $$ ${user.n}$", json!("cost: $5 $$ 4$")),
        ("${idle.days > 90}", json!(true)),
        ("${idle.days > 90 && user.on}", json!(true)),
        ("${idle.days < 90 || !user.on}", json!(false)),
        ("${user['Last Login'] != null}", json!(false)),
        ("${null != null}", json!(false)),
        ("${user.n / 8}", json!(0.5)),
        ("${1 / 2 == 0.5}", json!(true)),
        ("${user.n * 2 + 1 - 3 % 2}", json!(8)),
        ("${-user.n}", json!(-4)),
        ("${9007199254740992 + 1}", json!(9007199254740992.0)),
        ("${user.n == 4.0}", json!(true)),
        ("${user.name + '!'}", json!("Ada!")),
        ("${user.tags + ['c']}", json!(["a", "b", "c"])),
        ("${'a' in user.tags}", json!(true)),
        ("${'z' in user.missing}", json!(false)),
        ("${'da' in user.name}", json!(true)),
        ("${user.on ? 'yes' : 'no'}", json!("yes")),
        ("${list[user.i]}", json!(20)),
        // A key that is a number is a position of a list, as in JavaScript; with a sign or a zero before it is not.
        (r#"${list["1"]}"#, json!(20)),
        (r#"${user.tags["0"]}"#, json!("a")),
        (r#"${list["01"]}"#, json!(null)),
        (r#"${list["3"]}"#, json!(null)),
        ("${user[user.name]}", json!(null)),
        ("${has(user.name)}", json!(true)),
        ("${has(user.nothing)}", json!(false)),
        ("${size(user.tags)}", json!(2)),
        ("${user.name.size()}", json!(3)),
        ("${size(user.missing)}", json!(0)),
        ("${user.name.startsWith('A')}", json!(true)),
        ("${user.name.endsWith('x')}", json!(false)),
        ("${user.tags.contains('b')}", json!(true)),
        ("${lower(user.name) + upper('x')}", json!("adaX")),
        ("${trim('  a ')}", json!("a")),
        ("${string(user.n) + 'px'}", json!("4px")),
        ("${number('2.5') * 2}", json!(5)),
        ("${double('2') == 2}", json!(true)),
        ("${int('2.9')}", json!(2)),
        ("${coalesce(user['Last Login'], user.missing, 'never')}", json!("never")),
        ("${{'a': user.n}}", json!({"a": 4})),
        ("${[user.n, 'x']}", json!([4, "x"])),
        ("${'}' + \"{\"}", json!("}{")),
        ("${'it\\'s'}", json!("it's")),
        ("${ user.n }", json!(4)),
    ];
    for (text, expected) in table {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn mistakes_say_what_is_wrong() {
    let table = [
        ("${nobody.x}", "nothing here is called `nobody`"),
        ("${user['Last Login'] > 3}", "`user['Last Login']` is null"),
        ("${user.name - 1}", "needs two numbers"),
        ("${1 / 0}", "divides by zero"),
        ("${1 % 0}", "divides by zero"),
        ("${number('x')}", "not a number"),
        ("${user.tags.map(t, t)}", "map and filter cards"),
        ("${user.tags.all(t, t == 'a')}", "map and filter cards"),
        ("${foo(1)}", "no function `foo`"),
        ("${size(1, 2)}", "takes 1 to 1"),
        ("${user.n", "never closed"),
        ("${}", "is empty"),
        ("${1 +}", "cannot be read"),
        ("${b'x'}", "plain text"),
    ];
    for (text, expected) in table {
        let message = value(text).unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn hostile_texts_are_refused_quickly() {
    for text in [
        format!("${{{}1{}}}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("${{{}1}}", "!".repeat(4000)),
        format!("${{{}1}}", "- ".repeat(2000)),
        format!("${{{}1}}", "!\n".repeat(2000)),
        format!("${{{}1}}", "-\t\r\n".repeat(1000)),
        format!("${{{}1}}", "a.".repeat(2000)),
        format!("${{1{}}}", " == 1".repeat(800)),
        format!("${{{}}}", "1+".repeat(3000)),
        format!("${{{}1}}", "a?b:".repeat(900)),
        format!("${{{}}}", "[".repeat(60)),
        "${1}".repeat(5000),
    ] {
        assert!(Mapping::parse(&json!(text)).is_err(), "{}", &text[..20]);
    }
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert!(Mapping::parse(&deep).is_err());
}

#[test]
fn a_small_mapping_makes_no_huge_value() {
    struct Big(Arc<Value>);
    impl Scope for Big {
        fn root(&self, _: &str) -> Option<Root<'_>> {
            Some(Root::Value(&self.0))
        }
    }
    let text = Big(Arc::new(json!("x".repeat(1 << 20))));
    let list = Big(Arc::new(json!(vec![0; 100_000])));
    let (members, pairs): (Vec<_>, Vec<_>) =
        (0..70).map(|i| (format!("k{i}"), format!("'k{i}': a"))).map(|(k, p)| ((k, json!("${a}")), p)).unzip();
    for (scope, mapping, expected) in [
        (&text, json!(format!("${{[{}]}}", ["a"; 70].join(","))), "larger than 64 MiB"),
        (&text, json!(format!("${{{{{}}}}}", pairs.join(","))), "larger than 64 MiB"),
        (&text, json!(vec!["${a}"; 70]), "larger than 64 MiB"),
        (&text, Value::Object(members.into_iter().collect()), "larger than 64 MiB"),
        (&text, json!("${a}".repeat(17)), "larger than 16 MiB"),
        (&text, json!(format!("${{{}}}", ["a"; 17].join(" + "))), "becomes too large"),
        (&list, json!(format!("${{{}}}", ["a"; 11].join(" + "))), "longer than 1000000 items"),
    ] {
        let fault = Mapping::parse(&mapping).unwrap().evaluate(scope).unwrap_err();
        assert!(fault.message.contains(expected), "{expected}: {}", fault.message);
    }
    assert!(Mapping::parse(&json!(vec!["${a}"; 60])).unwrap().evaluate(&text).is_ok());
}

#[test]
fn a_whole_field_is_shared_not_copied() {
    let names = names();
    let mapping = Mapping::parse(&json!("${idle.big}")).unwrap();
    let first = mapping.evaluate(&names).unwrap();
    assert!(Arc::ptr_eq(&first, names.1.shared("big").unwrap()));
}

#[test]
fn references_are_found_everywhere() {
    let mapping = Mapping::parse(&json!({"a": "${x.y > z}", "b": ["t ${w}"]})).unwrap();
    let roots: Vec<_> = mapping.references().into_iter().map(|r| r.root.clone()).collect();
    assert_eq!(roots, ["x", "z", "w"]);
}

#[test]
fn types_of_expressions() {
    let types = |r: &Reference| match r.root.as_str() {
        "n" => crate::FieldType::Number,
        "t" => crate::FieldType::Text,
        _ => crate::FieldType::Any,
    };
    let of = |text: &str| Expression::parse(text).unwrap().result_type(&types);
    assert_eq!(of("n + 1").unwrap(), crate::FieldType::Number);
    assert_eq!(of("t + 'x'").unwrap(), crate::FieldType::Text);
    assert_eq!(of("n > 1").unwrap(), crate::FieldType::Boolean);
    assert_eq!(of("x ? 1 : 'a'").unwrap(), crate::FieldType::Any);
    assert!(of("t - 1").is_err());
    assert!(of("t + n").is_err());
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000i64..1000).prop_map(Value::from),
        "[a-z ${}.$]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        drop(Mapping::parse(&json!(text)));
        drop(Mapping::parse(&json!(format!("${{{text}}}"))));
    }

    #[test]
    fn what_is_printed_reads_back_the_same(value in arbitrary_json()) {
        if let Ok(mapping) = Mapping::parse(&value) {
            prop_assert_eq!(Mapping::parse(&mapping.source()).unwrap(), mapping);
        }
    }

    #[test]
    fn a_reference_with_any_key_reads_back(key in "\\PC{1,12}", index in 0usize..9) {
        let reference = Reference { root: "user".into(), path: vec![PathPart::Key(key), PathPart::Index(index)] };
        let mapping = Mapping::Reference(reference);
        prop_assert_eq!(Mapping::parse(&mapping.source()).unwrap(), mapping);
    }
}
