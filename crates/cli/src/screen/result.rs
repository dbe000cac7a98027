//! What a run returned, as a person reads it.
//!
//! Must never show more than a screenful without saying that there is more.
//! Tests: below.

use flowdeck::model::{Fields, Value};

use super::style::{Style, pad, shorten, width};

/// Most entries shown of one list or object.
const ENTRIES_SHOWN_MAX: usize = 20;
/// Deepest nesting shown.
const DEPTH_SHOWN_MAX: usize = 4;

/// Fields in two columns; lists and objects below their name.
pub(crate) fn fields(fields: &Fields, style: Style) -> String {
    let Ok(Value::Object(map)) = serde_json::to_value(fields) else { return String::new() };
    let mut out = String::new();
    object(&map, style, 2, &mut out);
    out
}

fn object(map: &serde_json::Map<String, Value>, style: Style, indent: usize, out: &mut String) {
    let column = map.keys().map(|k| width(k)).max().unwrap_or(0).min(28) + 2;
    for (key, value) in map.iter().take(ENTRIES_SHOWN_MAX) {
        let start = " ".repeat(indent);
        match value {
            Value::Object(inner) if !inner.is_empty() && indent / 2 < DEPTH_SHOWN_MAX => {
                out.push_str(&format!("{start}{}\n", style.bold(key)));
                object(inner, style, indent + 2, out);
            }
            Value::Array(items) if !items.is_empty() && indent / 2 < DEPTH_SHOWN_MAX => {
                out.push_str(&format!("{start}{}\n", style.bold(key)));
                list(items, style, indent + 2, out);
            }
            value => {
                let room = style.width.saturating_sub(indent + column).max(20);
                let gap = pad("", column.saturating_sub(width(key)).max(1));
                out.push_str(&format!("{start}{}{gap}{}\n", style.bold(key), shorten(&scalar(value), room)));
            }
        }
    }
    more(map.len(), style, indent, out);
}

fn list(items: &[Value], style: Style, indent: usize, out: &mut String) {
    let room = style.width.saturating_sub(indent + 2).max(20);
    for item in items.iter().take(ENTRIES_SHOWN_MAX) {
        out.push_str(&format!("{}- {}\n", " ".repeat(indent), shorten(&scalar(item), room)));
    }
    more(items.len(), style, indent, out);
}

fn more(len: usize, style: Style, indent: usize, out: &mut String) {
    if len > ENTRIES_SHOWN_MAX {
        let left = len - ENTRIES_SHOWN_MAX;
        let text = format!("and {left} more; `flowdeck runs show RUN --json` has all");
        out.push_str(&format!("{}{}\n", " ".repeat(indent), style.dim(&text)));
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".into(),
        Value::Number(n) => match n.as_f64() {
            // Numbers are doubles; a whole one is shown as people write it.
            Some(f) if f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.0}"),
            _ => n.to_string(),
        },
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(scalar).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value) -> Fields {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_result_reads_like_a_list() {
        let out = of(serde_json::json!({
            "staff": 24.0, "share": 0.5, "greetings": ["Welcome, Ada!", {"a": 1}, ["Ada", 2], []], "left": [], "nobody": null,
            "who": {"name": "Ada"}
        }));
        assert_eq!(
            fields(&out, Style::PLAIN),
            "  staff      24\n  share      0.5\n  greetings\n    - Welcome, Ada!\n    - {\"a\":1}\n    - Ada, 2\n    - none\n  left       none\n  nobody     nothing\n  who\n    name  Ada\n"
        );
    }

    #[test]
    fn long_lists_say_how_much_is_left() {
        let out = of(serde_json::json!({ "n": (0..25).collect::<Vec<i32>>() }));
        let shown = fields(&out, Style::PLAIN);
        assert_eq!(shown.lines().count(), 22);
        assert!(shown.contains("and 5 more"), "{shown}");
    }
}
