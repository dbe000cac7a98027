//! Where a value comes from, as mappings: references with paths, constants, and the conversions on the way.
//!
//! Must never make a mapping that does not read back as itself.
//! Tests: below.

use flowdeck_model::Value;
use flowdeck_model::mapping::{Expression, Mapping, PathPart, Reference, TemplatePart};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// A place that mappings can name.
    Place(Reference),
    /// A mapping of its own.
    Made(Mapping),
}

impl Source {
    /// A place below a name.
    pub(super) fn place<'k>(root: &str, keys: impl IntoIterator<Item = &'k str>) -> Self {
        let path = keys.into_iter().map(|key| PathPart::Key(key.to_owned())).collect();
        Self::Place(Reference { root: root.to_owned(), path })
    }

    /// Nothing.
    pub(super) fn null() -> Self {
        Self::Made(Mapping::default())
    }

    /// A part of it. A segment is a key as it stands; a whole number also stands for a position of a list.
    pub(super) fn below(self, key: &str) -> Self {
        match self {
            Self::Place(mut reference) => {
                reference.path.push(PathPart::Key(key.to_owned()));
                Self::Place(reference)
            }
            Self::Made(Mapping::Literal(value)) => {
                Self::Made(Mapping::Literal(value.get(key).cloned().unwrap_or_default()))
            }
            Self::Made(Mapping::Object(mut members)) => members.shift_remove(key).map_or_else(Self::null, Self::Made),
            Self::Made(Mapping::Expression(expression)) => made(&format!("({})[{}]", expression.source(), quoted(key))),
            Self::Made(_) => Self::null(),
        }
    }

    /// The item of a list at a position.
    pub(super) fn at(self, position: usize) -> Self {
        match self {
            Self::Place(mut reference) => {
                reference.path.push(PathPart::Index(position));
                Self::Place(reference)
            }
            other => made(&format!("({})[{position}]", other.expression())),
        }
    }

    /// As a part of an expression.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Place(reference) => reference.to_string(),
            Self::Made(mapping) => mapping_expression(mapping),
        }
    }

    /// As a mapping.
    pub(super) fn mapping(self) -> Mapping {
        let mapping = match self {
            Self::Place(reference) => Mapping::Reference(reference),
            Self::Made(Mapping::Literal(value)) => return constant(value),
            Self::Made(mapping) => mapping,
        };
        if stands(&mapping) { mapping } else { Mapping::default() }
    }

    /// With a function around it.
    pub(super) fn through(self, function: &str) -> Self {
        made(&format!("{function}({})", self.expression()))
    }

    /// After a pin's transform.
    pub(super) fn transformed(self, transform: &Value) -> Self {
        let Some(rule) = transform.as_object().and_then(|rules| rules.values().next()) else { return self };
        let wrap = rule.get("forceWrapArray").and_then(Value::as_bool).unwrap_or(false);
        let converted = match rule.get("convert").and_then(Value::as_str).unwrap_or("") {
            "parse" => self.through("parse"),
            "wrapArray" => self.through("list"),
            "toString" | "booleanToString" => self.through("string"),
            "stringify" => self.through("json"),
            "parseFloat" => self.through("toNumber"),
            // Dates are texts here, so `dateTime` and `isoString` change nothing.
            _ => self,
        };
        if wrap { converted.through("list") } else { converted }
    }
}

/// A constant; where a file could not hold it as it is (strange keys, great depth), as JSON text that is parsed.
pub(super) fn constant(value: Value) -> Mapping {
    if fits(&value, 0) {
        return Mapping::Literal(value);
    }
    let json = value.to_string();
    Expression::parse(&format!("parse({})", quoted(&json))).map(Mapping::Expression).unwrap_or_default()
}

fn fits(value: &Value, depth: usize) -> bool {
    depth < 24
        && match value {
            Value::String(text) => text.len() <= 500_000,
            Value::Array(list) => list.iter().all(|v| fits(v, depth + 1)),
            Value::Object(map) => map.iter().all(|(key, v)| (1..=256).contains(&key.len()) && fits(v, depth + 1)),
            _ => true,
        }
}

/// An expression as a source; nothing where it is too large.
pub(super) fn made(source: &str) -> Source {
    Source::Made(Expression::parse(source).map(Mapping::Expression).unwrap_or_default())
}

/// A text as a literal of the expression language.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\\' | '\'' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A constant as an expression.
pub(super) fn literal_expression(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal_expression).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(k, v)| format!("{}: {}", quoted(k), literal_expression(v)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn mapping_expression(mapping: &Mapping) -> String {
    match mapping {
        Mapping::Literal(value) => literal_expression(value),
        Mapping::Reference(reference) => reference.to_string(),
        Mapping::Expression(expression) => expression.source().to_owned(),
        Mapping::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                TemplatePart::Text(text) => quoted(text),
                TemplatePart::Reference(reference) => format!("string({reference})"),
                TemplatePart::Expression(expression) => format!("string({})", expression.source()),
            });
            format!("({})", parts.collect::<Vec<_>>().join(" + "))
        }
        Mapping::List(items) => format!("[{}]", items.iter().map(mapping_expression).collect::<Vec<_>>().join(", ")),
        Mapping::Object(members) => {
            let members = members.iter().map(|(k, m)| format!("{}: {}", quoted(k), mapping_expression(m)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether a mapping reads back as itself.
pub(super) fn stands(mapping: &Mapping) -> bool {
    match mapping {
        Mapping::Literal(value) => fits(value, 0),
        other => Mapping::parse(&other.source()).as_ref() == Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn transforms_become_functions() {
        let source = Source::place("read_user", ["ID"]);
        let transform = json!({"o1": {"convert": "parse", "forceWrapArray": true, "dest": "o1"}});
        let mapping = source.clone().transformed(&transform).mapping();
        assert_eq!(mapping.source(), json!("${list(parse(read_user.ID))}"));
        assert_eq!(source.transformed(&Value::Null).mapping().source(), json!("${read_user.ID}"));
    }

    #[test]
    fn parts_of_made_values() {
        let parsed = Source::place("event", ["raw", "body"]).through("parse").below("it's");
        assert_eq!(parsed.mapping().source(), json!("${(parse(event.raw.body))['it\\'s']}"));
        assert_eq!(Source::Made(Mapping::Literal(json!({"a": 1}))).below("a").mapping(), Mapping::Literal(json!(1)));
    }
}
