//! What can fill a field: references to what ran before, with their last values or their types.
//!
//! Must never suggest what the check would refuse.
//! Tests: below.

use flowdeck::format::Upstream;
use flowdeck::model::mapping::{PathPart, Reference};
use flowdeck::model::{FieldType, Value};

use super::known::{HIDDEN, Known};

/// A value that can be referred to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suggestion {
    /// As it is written in a file: `${staff.people}`.
    pub(crate) text: String,
    /// Its type in words.
    pub(crate) kind: String,
    /// Its last value, on one line.
    pub(crate) value: Option<String>,
}

/// Deepest parts that are suggested.
const DEPTH_MAX: usize = 3;
/// Most suggestions.
const SUGGESTIONS_MAX: usize = 400;
/// Longest value that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// What fits a field of this type, the nearest first, exact types before those that are converted.
pub(crate) fn suggestions(upstream: &[Upstream], known: &Known, wanted: &FieldType) -> Vec<Suggestion> {
    let mut found = Vec::new();
    for (near, name) in upstream.iter().rev().enumerate() {
        if name.name == "run" {
            continue;
        }
        let root = Reference { root: name.name.clone(), path: Vec::new() };
        walk(root, &name.kind, name.open, known, near, &mut found);
    }
    found.retain(|f: &Found| match (&f.kind, known.find(&f.reference)) {
        // A type that tells nothing: the last value does.
        (FieldType::Any, Some(Value::Null)) => *wanted == FieldType::Any,
        (FieldType::Any, Some(value)) => wanted.accepts(&type_of(value)),
        (kind, _) => wanted.accepts(kind),
    });
    let is_part = |f: &Found| f.reference.path.iter().any(|part| matches!(part, PathPart::Index(_)));
    found.sort_by_key(|f| (!is_exact(wanted, &f.kind), is_part(f), f.near, f.reference.path.len()));
    found.truncate(SUGGESTIONS_MAX);
    found
        .into_iter()
        .map(|f| Suggestion {
            text: format!("${{{}}}", f.reference),
            kind: f.kind.word(),
            value: known.find(&f.reference).map(shown),
        })
        .collect()
}

struct Found {
    reference: Reference,
    kind: FieldType,
    near: usize,
}

fn is_exact(wanted: &FieldType, kind: &FieldType) -> bool {
    match (wanted, kind) {
        (FieldType::List(_), FieldType::List(_)) | (FieldType::Object(_), FieldType::Object(_)) => true,
        (FieldType::Any, _) => true,
        (wanted, kind) => wanted == kind,
    }
}

fn walk(reference: Reference, kind: &FieldType, open: bool, known: &Known, near: usize, found: &mut Vec<Found>) {
    if found.len() >= SUGGESTIONS_MAX * 4 {
        return;
    }
    let depth = reference.path.len();
    let below = |part| {
        let mut reference = reference.clone();
        reference.path.push(part);
        reference
    };
    if depth < DEPTH_MAX {
        match kind {
            FieldType::Object(fields) => {
                for field in fields {
                    walk(below(PathPart::Key(field.key.clone())), &field.kind, true, known, near, found);
                }
            }
            FieldType::List(item) if depth > 0 && depth + 1 < DEPTH_MAX && matches!(**item, FieldType::Object(_)) => {
                walk(below(PathPart::Index(0)), item, true, known, near, found);
            }
            _ => {}
        }
        // Where the type is silent, the last value tells what there is.
        let declared = |key: &String| matches!(kind, FieldType::Object(fields) if fields.iter().any(|f| f.key == *key));
        let is_silent = matches!(kind, FieldType::Any) || (open && matches!(kind, FieldType::Object(_)));
        if let (true, Some(Value::Object(object))) = (is_silent, known.find(&reference)) {
            for (key, value) in object.iter().filter(|(key, _)| !declared(key)) {
                walk(below(PathPart::Key(key.clone())), &type_of(value), true, known, near, found);
            }
        }
    }
    // The outputs of a card as a whole are rarely meant.
    let is_whole = depth == 0 && matches!(kind, FieldType::Object(_));
    if !is_whole {
        found.push(Found { reference, kind: kind.clone(), near });
    }
}

fn type_of(value: &Value) -> FieldType {
    match value {
        Value::Null => FieldType::Any,
        Value::Bool(_) => FieldType::Boolean,
        Value::Number(_) => FieldType::Number,
        Value::String(_) => FieldType::Text,
        Value::Array(items) => items.first().map(type_of).unwrap_or_default().list(),
        // Its keys come from the value itself.
        Value::Object(_) => FieldType::object(),
    }
}

/// A value on one line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text == HIDDEN => HIDDEN.into(),
        Value::Array(items) => match items.len() {
            0 => "[]".into(),
            n => format!("{n} items, the first {}", cut(&items[0].to_string())),
        },
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(SHOWN_CHARS_MAX).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// What is typed behind the last `${` that is still open, and the text before it.
pub(crate) fn open_reference(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind("${")?;
    let (before, inside) = text.split_at(at);
    (!inside.contains('}')).then_some((before, &inside[2..]))
}

#[cfg(test)]
mod tests {
    use flowdeck::format::{Source, alone, read_upstream};
    use flowdeck::model::CardId;
    use serde_json::json;

    use super::*;

    const FLOW: &str = "\
flow: a
slots: { dir: playground }
inputs: { days: { type: number, default: 3 } }
on: { endpoint: { body: { who: text } } }
cards:
  - id: staff
    card: playground/listPeople
    slot: dir
  - id: now
    card: date/now
  - id: here
    card: string/compose
";

    fn texts(known: &Known, wanted: &FieldType) -> Vec<String> {
        let cards = crate::files::cards(None).unwrap();
        let here = CardId::new("here").unwrap();
        let (checked, upstream) = read_upstream(&Source::new("a.yaml", FLOW), &cards, &alone, None, &here);
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let all = suggestions(&upstream, known, wanted);
        all.into_iter().map(|s| format!("{} {} {}", s.text, s.kind, s.value.unwrap_or("-".into()))).collect()
    }

    #[test]
    fn without_a_run_the_types_are_told_and_the_nearest_come_first() {
        let lists = texts(&Known::default(), &FieldType::Any.list());
        assert_eq!(lists[0], "${staff.people} list of objects -");
        let dates = texts(&Known::default(), &FieldType::Date);
        assert_eq!(dates[0], "${now.date} date -", "{dates:#?}");
        let numbers = texts(&Known::default(), &FieldType::Number);
        assert!(numbers.contains(&"${input.days} number -".to_owned()), "{numbers:#?}");
        assert!(!numbers.iter().any(|n| n.contains("staff.people} ")), "a list is no number: {numbers:#?}");
    }

    #[test]
    fn with_a_run_its_values_are_told_and_their_parts_too() {
        let known = Known::of(json!({
            "staff": { "people": [{ "name": "Ada", "id": "p1" }] },
            "event": { "raw": { "body": "{}", "query": { "a b": "1" } }, "body": { "who": HIDDEN, "more": 2 } },
        }));
        let all = texts(&known, &FieldType::Any);
        for wanted in [
            "${staff.people} list of objects 1 items, the first {\"name\":\"Ada\",\"id\":\"p1\"}",
            "${staff.people[0].name} text \"Ada\"",
            "${event.body.who} text •••",
            "${event.raw.query['a b']} text \"1\"",
        ] {
            assert!(all.contains(&wanted.to_owned()), "`{wanted}` is missing: {all:#?}");
        }
    }

    #[test]
    fn every_suggestion_is_taken_by_the_check() {
        let cards = crate::files::cards(None).unwrap();
        for line in texts(&Known::default(), &FieldType::Any) {
            let text = line.split('}').next().unwrap().to_owned() + "}";
            let flow = format!("{FLOW}    with: {{ a: \"{text}\" }}\n");
            let checked = flowdeck::read(&Source::new("a.yaml", &flow), Some(&cards));
            assert!(checked.diagnostics.is_empty(), "{text}: {:?}", checked.diagnostics);
        }
    }

    #[test]
    fn an_open_reference_is_what_is_completed() {
        assert_eq!(open_reference("Hello ${staff.na"), Some(("Hello ", "staff.na")));
        assert_eq!(open_reference("${a} and ${"), Some(("${a} and ", "")));
        assert_eq!(open_reference("${a}"), None);
        assert_eq!(open_reference("plain"), None);
    }
}
