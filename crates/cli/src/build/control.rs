//! Cards that steer, as a palette shows them: their fields, and the keys they become in a file.
//!
//! Must never offer a key that the reader does not take.
//! Tests: below; each is written and checked.

use flowdeck::model::{FieldDecl, FieldType, Value};
use indexmap::IndexMap;
use serde_json::{Map, json};

/// A control card.
#[derive(Debug)]
pub(crate) struct Control {
    /// Its word in files.
    pub(crate) word: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    /// `key: type, help`, `!` behind the key where it is needed.
    fields: &'static [&'static str],
    /// Lanes that are written empty, to be filled.
    lanes: &'static [&'static str],
}

const ITEM: &str = "as:text, What an item is called inside: ${item} unless given.";
const AT_ONCE: &str = "concurrency:number, How many items at once; one after the other unless given.";

/// All of them.
#[rustfmt::skip]
pub(crate) const CONTROLS: &[Control] = &[
    Control { word: "if", title: "If/Else", about: "Cards where a condition holds, others where it does not.", fields: &["if!:boolean, The condition: ${user.age > 17}."], lanes: &["then"] },
    Control { word: "else_if", title: "If/ElseIf", about: "Cards of the first branch whose condition holds.", fields: &["when!:boolean, The condition of the first branch."], lanes: &[] },
    Control { word: "assign_if", title: "Assign If", about: "One of two values by a condition.", fields: &["assign_if!:boolean, The condition.", "then!:any, The value where it holds.", "else:any, The value where it does not; null unless given."], lanes: &[] },
    Control { word: "lookup", title: "Lookup", about: "The value of an option by its exact text.", fields: &["lookup!:text, The text that is looked up.", "options!:object, The values by their texts: {\"red\": 1}.", "else:any, The value without a match; null unless given."], lanes: &[] },
    Control { word: "continue_if", title: "Continue If", about: "Goes on only where a condition holds.", fields: &["continue_if!:boolean, The condition.", "message:text, What is told where it ends here."], lanes: &[] },
    Control { word: "for_each", title: "For Each", about: "Cards for each item of a list.", fields: &["for_each!:list, The list.", ITEM, "index:text, A name for the position, from 0.", AT_ONCE, "on_error:stop|go_on, What an error of one item does; stop unless given."], lanes: &["cards"] },
    Control { word: "map", title: "Map", about: "A new list with a value for each item.", fields: &["map!:list, The list.", "value!:any, The new item: ${item.name}.", ITEM, AT_ONCE], lanes: &[] },
    Control { word: "filter", title: "Filter", about: "The items of a list for which a condition holds.", fields: &["filter!:list, The list.", "keep!:boolean, The condition: ${item.active}.", ITEM, AT_ONCE], lanes: &[] },
    Control { word: "reduce", title: "Reduce", about: "One value out of all items of a list.", fields: &["reduce!:list, The list.", "start!:any, The first value.", "value!:any, The next value: ${so_far + item.price}.", ITEM], lanes: &[] },
    Control { word: "times", title: "Repeat", about: "Cards a number of times.", fields: &["times!:number, How often.", "as:text, What the round's number is called inside: ${round} unless given.", AT_ONCE], lanes: &["cards"] },
    Control { word: "while", title: "While", about: "Cards as long as a condition holds.", fields: &["while!:boolean, The condition: ${state.left > 0}.", "start:object, Values that are carried from round to round: {\"left\": 3}.", "as:text, What they are called inside: ${state} unless given.", "times_max:number, Most rounds; 1000 unless given."], lanes: &["cards"] },
    Control { word: "try", title: "If Error", about: "Cards whose error is caught.", fields: &["error:text, What the error is called in the catch lane: ${error} unless given."], lanes: &["try", "catch"] },
    Control { word: "parallel", title: "Parallel", about: "Lanes side by side.", fields: &["lanes!:texts, The names of the lanes: [\"left\", \"right\"]."], lanes: &[] },
    Control { word: "call_flow", title: "Call Flow", about: "A helper flow, and its outputs.", fields: &["call_flow!:text, The helper."], lanes: &[] },
    Control { word: "call_flow_async", title: "Call Flow Async", about: "A helper flow that runs on its own.", fields: &["call_flow_async!:text, The helper."], lanes: &[] },
    Control { word: "return", title: "Return", about: "Ends the flow with outputs.", fields: &[], lanes: &[] },
    Control { word: "return_raw", title: "Return Raw", about: "Ends the flow with an HTTP answer.", fields: &["status:number, 200 unless given.", "headers:object, Headers by name.", "body:any, The body.", "go_on:boolean, Whether the flow goes on once the caller has its answer."], lanes: &[] },
    Control { word: "return_error", title: "Return Error", about: "Ends the flow with an error.", fields: &["message!:text, What went wrong.", "status:number, The HTTP status for a caller.", "when:boolean, Only where this holds."], lanes: &[] },
    Control { word: "wait", title: "Wait", about: "A pause: for a time, a signal, or somebody's approval.", fields: &["for:text, How long: 10m.", "until:date, Up to a point in time.", "signal:text, The name of a signal that ends it.", "approval:text, What somebody is asked to approve.", "deadline:text, When to give up on a signal or an approval: 7d."], lanes: &[] },
];

/// What starts a flow, besides the events of apps.
#[rustfmt::skip]
pub(crate) const STARTS: &[Control] = &[
    Control { word: "manual", title: "By hand", about: "A person or a program starts it.", fields: &[], lanes: &[] },
    Control { word: "schedule", title: "Schedule", about: "At fixed times.", fields: &["cron!:text, Minute, hour, day, month, weekday: 0 9 * * MON-FRI is nine on working days.", "timezone:text, A name as Europe/Berlin; UTC unless given."], lanes: &[] },
    Control { word: "endpoint", title: "API Endpoint", about: "A call of a URL of its own.", fields: &["access:token|public|oauth, Who may call; token unless given.", "methods:POST|GET|PUT|PATCH|DELETE, POST unless given."], lanes: &[] },
    Control { word: "delegated", title: "Delegated", about: "A person who may, from a list of such flows.", fields: &[], lanes: &[] },
];

impl Control {
    /// Its fields as those of any card.
    pub(crate) fn fields(&self) -> Vec<FieldDecl> {
        self.fields.iter().map(|line| field(line)).collect()
    }

    /// What an id of such a card is made of: its word cannot begin a reference, or says little.
    pub(crate) fn id_base(&self) -> &'static str {
        match self.word {
            "if" => "check",
            "else_if" => "choice",
            "assign_if" => "chosen",
            "lookup" => "found",
            "continue_if" => "go_on",
            "for_each" => "each",
            "map" => "mapped",
            "filter" => "filtered",
            "reduce" => "reduced",
            "times" | "while" => "rounds",
            "try" => "safe",
            "parallel" => "lanes",
            "call_flow" | "call_flow_async" => "call",
            "return" | "return_raw" => "answer",
            "return_error" => "failure",
            _ => "pause",
        }
    }

    /// The type of fields under names of one's own: outputs of a return.
    pub(crate) fn more(&self) -> Option<FieldType> {
        matches!(self.word, "return" | "call_flow" | "call_flow_async").then_some(FieldType::Any)
    }

    /// What it is in a file, from its fields' values.
    pub(crate) fn body(&self, values: &IndexMap<String, Value>) -> Map<String, Value> {
        let get = |key: &str| values.get(key).cloned().unwrap_or_default();
        let others = |own: &[&str]| {
            let own = |key: &String| own.contains(&key.as_str());
            values.iter().filter(|(key, _)| !own(key)).map(|(k, v)| (k.clone(), v.clone())).collect::<Map<_, _>>()
        };
        let mut out = Map::new();
        match self.word {
            "else_if" => {
                out.insert("else_if".into(), json!([{ "when": get("when"), "cards": [] }]));
            }
            "parallel" => {
                let lanes = get("lanes");
                let names = lanes.as_array().map(Vec::as_slice).unwrap_or_default().iter();
                let lanes: Map<_, _> = names.filter_map(Value::as_str).map(|name| (name.into(), json!([]))).collect();
                out.insert("parallel".into(), lanes.into());
            }
            "call_flow" | "call_flow_async" => {
                out.insert(self.word.into(), get(self.word));
                let with = others(&[self.word]);
                if !with.is_empty() {
                    out.insert("with".into(), with.into());
                }
            }
            "return" | "return_raw" => {
                out.insert(self.word.into(), others(&[]).into());
            }
            "return_error" => {
                let is_short = values.len() == 1 && get("message").is_string();
                out.insert(self.word.into(), if is_short { get("message") } else { others(&[]).into() });
            }
            "wait" => {
                let until = others(&["deadline"]);
                let only = (until.len() == 1).then(|| until.get("for").cloned()).flatten();
                out.insert("wait".into(), only.unwrap_or(until.into()));
                out.extend(others(&["for", "until", "signal", "approval"]));
            }
            _ => out.extend(others(&[])),
        }
        for lane in self.lanes {
            out.insert((*lane).into(), json!([]));
        }
        out
    }
}

fn field(line: &str) -> FieldDecl {
    let (key, rest) = line.split_once(':').unwrap_or((line, ""));
    let (kind, help) = rest.split_once(", ").unwrap_or((rest, ""));
    let mut field = FieldDecl::new(key.trim_end_matches('!'), FieldType::Text);
    field.required = key.ends_with('!');
    field.help = help.into();
    field.kind = match kind {
        "any" => FieldType::Any,
        "boolean" => FieldType::Boolean,
        "number" => FieldType::Number,
        "date" => FieldType::Date,
        "object" => FieldType::object(),
        "list" => FieldType::Any.list(),
        "texts" => FieldType::Text.list(),
        words => {
            field.choices = words.split('|').filter(|_| words.contains('|')).map(Into::into).collect();
            FieldType::Text
        }
    };
    field
}

#[cfg(test)]
mod tests {
    use flowdeck::format::edit::{Place, insert_card};
    use flowdeck::model::CardId;
    use flowdeck::{Source, format_text, read};

    use super::*;

    #[test]
    fn every_control_card_is_written_as_the_reader_takes_it() {
        let cards = crate::files::cards(None).unwrap();
        let flow = "flow: a\ncards: []\nhelpers:\n  h:\n    cards: []\n";
        for control in CONTROLS {
            let mut values = IndexMap::new();
            for field in control.fields().iter().filter(|f| f.required) {
                let value = match &field.kind {
                    FieldType::Number => json!(2),
                    FieldType::Boolean => json!(true),
                    FieldType::Object(_) => json!({ "a": 1 }),
                    FieldType::List(_) => json!(["a", "b"]),
                    _ => json!("h"),
                };
                values.insert(field.key.clone(), value);
            }
            if control.word == "wait" {
                values.insert("for".into(), json!("10m"));
            }
            let id = CardId::new("new").unwrap();
            let source = Source::new("a.yaml", flow);
            let text = insert_card(&source, &Place::default(), &id, &control.body(&values), None).unwrap().text;
            let source = Source::new("a.yaml", &text);
            let checked = read(&source, Some(&cards));
            assert!(!checked.has_errors(), "{}: {:?}\n{text}", control.word, checked.diagnostics);
            assert_eq!(checked.flows[0].cards[0].kind.word(), control.word);
            assert_eq!(format_text(&source).as_deref(), Ok(text.as_str()), "{}", control.word);
        }
        assert_eq!(CONTROLS.len(), 19);
    }

    #[test]
    fn what_is_short_stays_short() {
        let body = |word: &str, pairs: &[(&str, Value)]| {
            let control = CONTROLS.iter().find(|c| c.word == word).unwrap();
            let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
            Value::Object(control.body(&values)).to_string()
        };
        assert_eq!(body("wait", &[("for", json!("10m"))]), r#"{"wait":"10m"}"#);
        let signal = body("wait", &[("signal", json!("go")), ("deadline", json!("2d"))]);
        assert_eq!(signal, r#"{"wait":{"signal":"go"},"deadline":"2d"}"#);
        assert_eq!(body("return_error", &[("message", json!("no"))]), r#"{"return_error":"no"}"#);
        let error = body("return_error", &[("message", json!("no")), ("status", json!(404))]);
        assert_eq!(error, r#"{"return_error":{"message":"no","status":404}}"#);
        assert_eq!(body("return", &[("a", json!("${b.c}"))]), r#"{"return":{"a":"${b.c}"}}"#);
        let call = body("call_flow", &[("call_flow", json!("h")), ("who", json!(1))]);
        assert_eq!(call, r#"{"call_flow":"h","with":{"who":1}}"#);
    }
}
