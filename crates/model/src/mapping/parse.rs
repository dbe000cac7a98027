//! Reads mappings from JSON values and prints them back.
//!
//! Must never panic on any text.
//! Tests: `tests.rs` in this folder.

use serde_json::Value;

use super::expression::SOURCE_BYTES_MAX;
use super::{Expression, Mapping, Reference, TemplatePart};

/// Deepest nesting of lists and objects.
const DEPTH_MAX: usize = 64;
/// Most parts in one template.
const PARTS_MAX: usize = 1000;

/// Why a mapping cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MappingError {
    /// Byte offset of the trouble inside the text.
    pub offset: usize,
    /// What is wrong, and the fix where it is known.
    pub message: String,
}

impl Mapping {
    /// Reads a mapping: texts with `${…}` become references, expressions or templates; lists and objects are searched.
    ///
    /// # Errors
    /// [`MappingError`] for text that is not well formed or above a limit.
    pub fn parse(value: &Value) -> Result<Self, MappingError> {
        read(value, 0)
    }

    /// The value it was read from.
    #[must_use]
    pub fn source(&self) -> Value {
        match self {
            Self::Literal(value) => escape(value),
            Self::Reference(reference) => Value::String(format!("${{{reference}}}")),
            Self::Expression(expression) => Value::String(format!("${{{}}}", expression.source())),
            Self::Template(parts) => Value::String(parts.iter().map(part_source).collect()),
            Self::List(items) => Value::Array(items.iter().map(Self::source).collect()),
            Self::Object(members) => Value::Object(members.iter().map(|(k, m)| (k.clone(), m.source())).collect()),
        }
    }
}

fn part_source(part: &TemplatePart) -> String {
    match part {
        TemplatePart::Text(text) => text.replace("${", "$${"),
        TemplatePart::Reference(reference) => format!("${{{reference}}}"),
        TemplatePart::Expression(expression) => format!("${{{}}}", expression.source()),
    }
}

fn escape(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => Value::Array(items.iter().map(escape).collect()),
        Value::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), escape(v))).collect()),
        other => other.clone(),
    }
}

fn read(value: &Value, depth: usize) -> Result<Mapping, MappingError> {
    if depth > DEPTH_MAX {
        return Err(MappingError { offset: 0, message: format!("nested more than {DEPTH_MAX} deep") });
    }
    match value {
        Value::String(text) => read_text(text),
        Value::Array(items) => {
            let items = items.iter().map(|v| read(v, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            Ok(literal_list(items))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(k, v)| Ok((k.clone(), read(v, depth + 1)?)));
            Ok(literal_object(members.collect::<Result<_, MappingError>>()?))
        }
        other => Ok(Mapping::Literal(other.clone())),
    }
}

/// A list of constants is one constant.
fn literal_list(items: Vec<Mapping>) -> Mapping {
    if !items.iter().all(|m| matches!(m, Mapping::Literal(_))) {
        return Mapping::List(items);
    }
    let literal = |m| if let Mapping::Literal(value) = m { value } else { Value::Null };
    Mapping::Literal(Value::Array(items.into_iter().map(literal).collect()))
}

fn literal_object(members: indexmap::IndexMap<String, Mapping>) -> Mapping {
    if !members.values().all(|m| matches!(m, Mapping::Literal(_))) {
        return Mapping::Object(members);
    }
    let literal = |m| if let Mapping::Literal(value) = m { value } else { Value::Null };
    Mapping::Literal(Value::Object(members.into_iter().map(|(k, m)| (k, literal(m))).collect()))
}

fn read_text(text: &str) -> Result<Mapping, MappingError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        let dollar = at + found;
        plain.push_str(&text[at..dollar]);
        if text[dollar..].starts_with("$${") {
            plain.push_str("${");
            at = dollar + 3;
        } else if text[dollar..].starts_with("${") {
            let start = dollar + 2;
            let end = close(text, start).ok_or_else(|| MappingError {
                offset: dollar,
                message: "`${` is never closed; add `}`, or write `$${` for the text itself".into(),
            })?;
            if !plain.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
            }
            parts.push(inside(&text[start..end], start)?);
            at = end + 1;
        } else {
            plain.push('$');
            at = dollar + 1;
        }
        if parts.len() > PARTS_MAX {
            return Err(MappingError { offset: at, message: format!("more than {PARTS_MAX} mappings in one text") });
        }
    }
    plain.push_str(&text[at..]);
    if parts.is_empty() {
        return Ok(Mapping::Literal(Value::String(plain)));
    }
    if plain.is_empty() && parts.len() == 1 {
        match parts.swap_remove(0) {
            TemplatePart::Reference(reference) => return Ok(Mapping::Reference(reference)),
            TemplatePart::Expression(expression) => return Ok(Mapping::Expression(expression)),
            text => parts.push(text),
        }
    }
    if !plain.is_empty() {
        parts.push(TemplatePart::Text(plain));
    }
    Ok(Mapping::Template(parts))
}

fn inside(source: &str, start: usize) -> Result<TemplatePart, MappingError> {
    let trimmed = source.trim();
    if trimmed.is_empty() {
        return Err(MappingError { offset: start, message: "`${}` is empty; name a card's output in it".into() });
    }
    let lead = source.len() - source.trim_start().len();
    let expression = Expression::parse(trimmed)
        .map_err(|e| MappingError { offset: start + lead + e.offset.min(trimmed.len()), message: e.message })?;
    // A key with many signs that have to be escaped grows when it is written; then it stays as it was written.
    let grows = |r: &&Reference| r.to_string().len() > SOURCE_BYTES_MAX;
    let is_long = expression.source().len() > SOURCE_BYTES_MAX / 6;
    Ok(match expression.as_reference().filter(|r| !(is_long && grows(r))) {
        Some(reference) => TemplatePart::Reference(reference.clone()),
        None => TemplatePart::Expression(expression),
    })
}

/// Where the `}` of a `${` stands, quotes and inner braces passed over.
fn close(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate().skip(start) {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(q), b) if b == q => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth == 0 => return Some(offset),
            (None, b'}') => depth -= 1,
            _ => {}
        }
    }
    None
}

impl serde::Serialize for Mapping {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.source().serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for Mapping {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&Value::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
