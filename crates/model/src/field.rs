//! Types of fields, and how a card declares them.
//!
//! Must never convert a value: mappings and cards do.
//! Tests: below.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of a field.
///
/// ```
/// use flowdeck_model::FieldType;
///
/// assert_eq!(FieldType::Number.list().word(), "list of numbers");
/// assert!(FieldType::Text.accepts(&FieldType::Number) && !FieldType::Number.accepts(&FieldType::Text.list()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Any value.
    #[default]
    Any,
    /// Text.
    Text,
    /// A number (a double, as in JSON).
    Number,
    /// True or false.
    Boolean,
    /// A date and time as ISO 8601 text.
    Date,
    /// An object; with its known fields where there are any.
    Object(Vec<FieldDecl>),
    /// A file: `{name, type, size, content}` with base64 content.
    File,
    /// A list of one type.
    List(Box<FieldType>),
}

impl FieldType {
    /// A list of this type.
    #[must_use]
    pub fn list(self) -> Self {
        Self::List(Box::new(self))
    }

    /// An object whose fields are not known.
    #[must_use]
    pub fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// The word for it on screens and in messages: `text`, `list of numbers`.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Any => "any".into(),
            Self::Text => "text".into(),
            Self::Number => "number".into(),
            Self::Boolean => "true/false".into(),
            Self::Date => "date".into(),
            Self::Object(_) => "object".into(),
            Self::File => "file".into(),
            Self::List(item) => match item.as_ref() {
                Self::Any => "list".into(),
                Self::Text => "list of texts".into(),
                Self::Boolean => "list of true/false".into(),
                Self::List(_) => "list of lists".into(),
                item => format!("list of {}s", item.word()),
            },
        }
    }

    /// Whether a value of type `from` may fill a field of this type, perhaps after the loose conversions that
    /// mappings make (number or boolean to text, text to date, item to list is *not* one).
    #[must_use]
    pub fn accepts(&self, from: &FieldType) -> bool {
        match (self, from) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Text, Self::Number | Self::Boolean | Self::Date | Self::Object(_) | Self::List(_)) => true,
            (Self::Number | Self::Boolean | Self::Date | Self::Object(_), Self::Text) => true,
            (Self::Date, Self::Number) => true,
            (Self::Object(_), Self::Object(_) | Self::File) | (Self::File, Self::Object(_) | Self::Text) => true,
            (Self::List(to), Self::List(from)) => to.accepts(from),
            (to, from) => to == from,
        }
    }
}

/// A declared input or output of a card or flow.
///
/// ```
/// use flowdeck_model::{FieldDecl, FieldType};
///
/// let days = FieldDecl { required: true, help: "How long ago.".into(), ..FieldDecl::new("days", FieldType::Number) };
/// assert_eq!(days.label(), "days");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FieldDecl {
    /// The name that mappings use.
    pub key: String,
    /// The name on screens; the key where empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: FieldType,
    /// Whether the card refuses to run without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The value when nothing is mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values allowed, where not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// One or two sentences for the person who fills it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// Whether its value must be redacted wherever it is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// What an Okta export calls this field, `Group.Key` or `Key`, where that differs from [`Self::key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_key: Option<String>,
}

impl FieldDecl {
    /// An optional field without further ado.
    #[must_use]
    pub fn new(key: &str, kind: FieldType) -> Self {
        Self { key: key.into(), kind, ..Self::default() }
    }

    /// The name on screens.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.title.is_empty() { &self.key } else { &self.title }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_never_fills_a_number() {
        assert!(!FieldType::Number.accepts(&FieldType::Text.list()));
        assert!(FieldType::Text.accepts(&FieldType::Number));
        assert!(!FieldType::Text.list().accepts(&FieldType::Text));
        assert_eq!(FieldType::Number.list().word(), "list of numbers");
    }
}
