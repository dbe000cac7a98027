//! Mappings: what fills an input. A literal, a reference, a template or an expression.
//!
//! Must never read anything but the scope it is given, nor run without bounds.
//! Tests: beside each module.

mod evaluate;
pub mod expression;
mod loose;
mod operators;
pub mod parse;
mod plain;
pub mod reference;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

pub use expression::Expression;
pub use parse::MappingError;
pub use plain::EXPRESSION_WORDS;
pub use reference::{PathPart, Reference};

use crate::fields::Fields;

/// What fills an input. Serialises as its source text or value.
///
/// ```
/// use std::sync::Arc;
/// use flowdeck_model::mapping::{Mapping, Root, Scope};
/// use flowdeck_model::Value;
/// use serde_json::json;
///
/// /// `${user.…}` and nothing else.
/// struct User(Arc<Value>);
///
/// impl Scope for User {
///     fn root(&self, name: &str) -> Option<Root<'_>> {
///         (name == "user").then_some(Root::Value(&self.0))
///     }
/// }
///
/// let user = User(Arc::new(json!({ "name": "Ada", "days": 91 })));
/// let value = |source: &str| Mapping::parse(&json!(source)).unwrap().evaluate(&user).map(|value| (*value).clone());
/// assert_eq!(value("${user.name}"), Ok(json!("Ada")));
/// assert_eq!(value("Hello ${user.name}!"), Ok(json!("Hello Ada!")));
/// assert_eq!(value("${user.days > 90}"), Ok(json!(true)));
/// assert_eq!(value("${user.nothing}"), Ok(Value::Null));
/// assert!(value("${nobody.name}").is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Mapping {
    /// A constant.
    Literal(Value),
    /// `${active.Users}`: keeps the type of what it refers to.
    Reference(Reference),
    /// `${idle.days > 90}`.
    Expression(Expression),
    /// Text around references and expressions: `Hello ${user.name}`.
    Template(Vec<TemplatePart>),
    /// A list with mappings inside.
    List(Vec<Mapping>),
    /// An object with mappings inside.
    Object(IndexMap<String, Mapping>),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    /// Text as it is.
    Text(String),
    /// `${…}` with a plain path.
    Reference(Reference),
    /// `${…}` with anything more.
    Expression(Expression),
}

/// What a name at the start of a reference means.
#[derive(Debug, Clone, Copy)]
pub enum Root<'a> {
    /// Outputs of a card, inputs of the flow, the event.
    Fields(&'a Fields),
    /// The item of a loop, an error, facts of the run.
    Value(&'a Arc<Value>),
    /// The item of a loop where it still lies in its list.
    Part(&'a Value),
}

/// What mappings can refer to.
pub trait Scope {
    /// The meaning of a name, or `None` where nothing has it (yet).
    fn root(&self, name: &str) -> Option<Root<'_>>;
}

impl Default for Mapping {
    fn default() -> Self {
        Self::Literal(Value::Null)
    }
}
