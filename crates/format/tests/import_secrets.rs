//! Secrets that stand as constants in an export: they become inputs, and are nowhere in what is made of it.
//!
//! Must never hold a real secret: the ones here are made up.
//! Tests: these are the tests.

use crate::common;
use crate::import_support;

use flowdeck_format::{Source, import, print, read};
use import_support::{Card, card, export, field, flow_data};
use serde_json::{Value, json};

const KEY: &str = "correct-horse-battery";

/// Cut in two, so that no scanner takes it for a real one.
fn token() -> String {
    ["xoxb-", "0123456789-abcdefghij"].concat()
}

fn text(id: &str, key: &str, data: &str) -> Value {
    field(id, None, key, json!("string"), json!(data))
}

fn hmac(key: &str) -> Card {
    let inputs = vec![text("h1", "text", "body"), text("h2", "key", key)];
    card("hm", "crypto/hmac", "Sign", inputs, vec![text("ho", "output", "")])
}

fn helper(title: &str) -> Card {
    card("ev", "control/callable", title, vec![], vec![])
}

fn call(uuid: &str, flow: &str) -> Card {
    card(uuid, "control/spawn", "Call", vec![field("c1", None, "flo", json!("flo"), json!(flow))], vec![])
}

struct Imported {
    export: import::Export,
    /// Everything that leaves the importer, as text.
    all: String,
}

fn imported(tree: &Value) -> Imported {
    let catalogue = common::TestCatalogue::new();
    let (found, diagnostics) = import::read("test.flopack", tree.to_string().as_bytes(), &catalogue);
    let export = found.unwrap();
    let mut all = format!("{diagnostics:?} {:?} {}", export.report, export.report.text());
    for flow in &export.flows {
        let whole = export.whole(flow.name.as_str()).unwrap();
        let printed = print(&whole);
        let back = read(&Source::new("back.yaml", &printed), Some(&catalogue));
        assert!(!back.has_errors(), "{:?}\n{printed}", back.diagnostics);
        assert_eq!(back.flows.first(), Some(&whole), "{printed}");
        all.push_str(&printed);
    }
    Imported { export, all }
}

impl Imported {
    fn secret_inputs(&self, flow: &str) -> Vec<String> {
        let flow = self.export.flows.iter().find(|f| f.name.as_str() == flow).unwrap();
        flow.inputs.iter().filter(|f| f.secret && f.required).map(|f| f.key.clone()).collect()
    }
}

#[test]
fn a_secret_field_becomes_an_input_that_callers_hand_on() {
    let found = imported(&export(vec![
        ("f1", "Top", flow_data(vec![helper("Helper Flow"), call("c", "f2")], "ev>c")),
        ("f2", "Middle", flow_data(vec![helper("Helper Flow"), call("c", "f3")], "ev>c")),
        ("f3", "Sign", flow_data(vec![helper("Helper Flow"), hmac(KEY)], "ev>hm")),
        ("f4", "Sign again", flow_data(vec![helper("Helper Flow"), hmac(KEY)], "ev>hm")),
        ("f5", "Other", flow_data(vec![helper("Helper Flow"), hmac("another-long-secret")], "ev>hm")),
    ]));
    assert!(!found.all.contains(KEY) && !found.all.contains("another-long-secret"), "{}", found.all);
    for (flow, inputs) in
        [("top", ["key"]), ("middle", ["key"]), ("sign", ["key"]), ("sign-again", ["key"]), ("other", ["key_2"])]
    {
        assert_eq!(found.secret_inputs(flow), inputs, "{flow}");
    }
    assert!(found.all.matches("${input.key}").count() >= 4, "{}", found.all);
    let told: Vec<&str> = found.export.report.changed.iter().map(|n| n.flow.as_str()).collect();
    assert_eq!(told, ["sign", "sign-again", "other"]);
}

#[test]
fn short_examples_in_secret_fields_stay() {
    let found = imported(&export(vec![("f1", "Sign", flow_data(vec![helper("Helper Flow"), hmac("demo")], "ev>hm"))]));
    assert!(found.secret_inputs("sign").is_empty());
    assert!(found.all.contains("key: demo"), "{}", found.all);
}

#[test]
fn tokens_are_cut_out_of_texts_objects_conditions_and_notes() {
    let token = token();
    let condition = vec![
        text("lf", "left-operand", &format!("Bearer {token}")),
        text("op", "operator", "=="),
        text("rt", "right-operand", "x"),
    ];
    let cards = vec![
        helper("Helper Flow"),
        card("note", "control/comment", "Comment", vec![], vec![])
            .with("/comments", json!(json!({"title": "Key", "markdown": format!("use {token} here")}).to_string())),
        card("go", "control/continueIf", "Continue If", condition, vec![]),
        card(
            "t",
            "string/compose",
            "Text",
            vec![text("t0", "_text_", &format!("token=\"{token}\" end"))],
            vec![text("to", "output", "")],
        ),
        card(
            "r",
            "control/return",
            "Return",
            vec![field(
                "r1",
                None,
                "headers",
                json!("object"),
                json!({"Authorization": format!("Bearer {token}"), "n": 1}),
            )],
            vec![],
        ),
    ];
    let found = imported(&export(vec![("f1", "All", flow_data(cards, "ev>note note>go go>t t>r"))]));
    assert!(!found.all.contains(&token), "{}", found.all);
    assert_eq!(found.secret_inputs("all").len(), 1, "{}", found.all);
    let name = &found.secret_inputs("all")[0];
    for wanted in
        [format!("Bearer ${{input.{name}}}"), format!("token=\"${{input.{name}}}\" end"), "a secret, taken out".into()]
    {
        assert!(
            found.all.contains(&wanted) || found.all.contains(&wanted.replace('"', "\\\"")),
            "{wanted}\n{}",
            found.all
        );
    }
}
