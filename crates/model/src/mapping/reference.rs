//! References: a name and a path below it, as in `user['Last Login']` or `active.Users[0].id`.
//!
//! Must never fail on a missing key: it answers null. Only an unknown name is a fault.
//! Tests: below.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{Root, Scope};
use crate::fault::{Fault, FaultCode};

/// A plain path from a root name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The card id, loop name, `input`, `event`, `run` or `error`.
    pub root: String,
    /// Keys and indexes below it.
    pub path: Vec<PathPart>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    /// A key of an object.
    Key(String),
    /// An index of a list, from 0.
    Index(usize),
}

impl Reference {
    /// The value in a scope: shared where it is a whole field, null where a key is missing.
    ///
    /// # Errors
    /// `bad-mapping` where nothing has the root name.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Arc<Value>, Fault> {
        let root = scope.root(&self.root).ok_or_else(|| {
            Fault::new(FaultCode::BadMapping, format!("nothing here is called `{}`", self.root))
                .remedy("refer to an earlier card by its id, or to `input`, `event`, `run`")
        })?;
        let below = |value: &Value, rest: &[PathPart]| {
            let found = rest.iter().try_fold(value, |value, part| part.of(value));
            Arc::new(found.cloned().unwrap_or(Value::Null))
        };
        let (shared, rest) = match (root, self.path.split_first()) {
            (Root::Part(value), _) => return Ok(below(value, &self.path)),
            (Root::Value(value), _) => (value, self.path.as_slice()),
            (Root::Fields(fields), None) => return Ok(Arc::new(fields.to_value())),
            (Root::Fields(fields), Some((PathPart::Key(key), rest))) => match fields.shared(key) {
                Some(value) => (value, rest),
                None => return Ok(Arc::new(Value::Null)),
            },
            (Root::Fields(_), Some((PathPart::Index(_), _))) => return Ok(Arc::new(Value::Null)),
        };
        if rest.is_empty() {
            return Ok(Arc::clone(shared));
        }
        Ok(below(shared, rest))
    }
}

impl PathPart {
    /// The part of a value, where it has it. A key that is a whole number is a position of a list too, as in
    /// JavaScript: who wrote a path may not know which of both is there.
    #[must_use]
    pub fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Key(key) => keyed(value, key),
            Self::Index(index) => value.get(*index),
        }
    }

    /// The position of a list that it may mean.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::Key(key) => position(key),
            Self::Index(index) => Some(*index),
        }
    }
}

/// [`PathPart::of`] for a key.
pub(super) fn keyed<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Array(list) => position(key).and_then(|at| list.get(at)),
        _ => value.get(key),
    }
}

/// A whole number as JavaScript writes it: no sign, no zeros before it.
pub(super) fn position(key: &str) -> Option<usize> {
    let plain = key.bytes().all(|b| b.is_ascii_digit()) && (key == "0" || !key.starts_with('0'));
    plain.then(|| key.parse().ok()).flatten()
}

/// Whether a key can stand after a dot.
fn is_plain(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !super::expression::RESERVED.contains(&key)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for part in &self.path {
            match part {
                PathPart::Index(index) => write!(f, "[{index}]")?,
                PathPart::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                PathPart::Key(key) => {
                    f.write_str("['")?;
                    for c in key.chars() {
                        match c {
                            '\\' | '\'' => write!(f, "\\{c}")?,
                            '\n' => f.write_str("\\n")?,
                            '\r' => f.write_str("\\r")?,
                            '\t' => f.write_str("\\t")?,
                            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                            c => write!(f, "{c}")?,
                        }
                    }
                    f.write_str("']")?;
                }
            }
        }
        Ok(())
    }
}
