//! Expressions: the grammar of CEL, evaluated under limits and without surprises by null.
//!
//! Must never loop, read files, or know a clock. The `cel` crate reads the text; the value is worked out here, because
//! all JSON numbers are doubles and missing keys are null with us.
//! Tests: `tests.rs` in this folder.

use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::operators::{self, Binary, Function};
use super::{MappingError, PathPart, Reference, Scope, plain};
use crate::fault::Fault;
use crate::field::FieldType;

/// Longest expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4096;
/// Most operations in one expression.
pub const NODES_MAX: usize = 1000;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 50;
/// Words of CEL that cannot follow a dot.
pub(super) const RESERVED: &[&str] = &["true", "false", "null", "in"];

/// An expression that was read; cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    node: Arc<Node>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Literal(Arc<Value>),
    Reference(Reference),
    Index(Box<Node>, Box<Node>),
    /// Whether the inner value is there and not null.
    Has(Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    List(Vec<Node>),
    Object(Vec<(Node, Node)>),
}

fn wrong(message: impl Into<String>) -> MappingError {
    MappingError { offset: 0, message: message.into() }
}

/// Nesting by brackets and by signs, before the parser sees the text: it is recursive.
fn guard(source: &str) -> Result<(), MappingError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(wrong(format!("the expression is longer than {SOURCE_BYTES_MAX} bytes; use function cards")));
    }
    let (mut depth, mut signs) = (0usize, 0usize);
    for (offset, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        signs = if matches!(byte, b'!' | b'-') {
            signs + 1
        } else if byte.is_ascii_whitespace() {
            signs
        } else {
            0
        };
        if depth > DEPTH_MAX || signs > DEPTH_MAX {
            return Err(MappingError { offset, message: format!("nested more than {DEPTH_MAX} deep") });
        }
    }
    if source.bytes().filter(|b| *b == b'?').count() > DEPTH_MAX {
        return Err(wrong(format!("more than {DEPTH_MAX} choices in one expression")));
    }
    Ok(())
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`MappingError`] with the place and the fix.
    pub fn parse(source: &str) -> Result<Self, MappingError> {
        guard(source)?;
        match plain::node(source) {
            Some(node) => Ok(Self { source: Arc::from(source), node: Arc::new(node) }),
            None => Self::by_grammar(source),
        }
    }

    /// Reads what is not plain.
    pub(super) fn by_grammar(source: &str) -> Result<Self, MappingError> {
        let parsed = std::panic::catch_unwind(|| cel::Program::compile(source))
            .map_err(|_| wrong("the expression cannot be read"))?;
        let program = parsed.map_err(|errors| {
            let first = errors.errors.first();
            let column = first.map_or(0, |e| usize::try_from(e.pos.1).unwrap_or(0));
            let line = first.map_or(1, |e| usize::try_from(e.pos.0).unwrap_or(1));
            let before: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
            let offset = (before + column).min(source.len());
            let what = first.map_or_else(String::new, |e| e.msg.lines().next().unwrap_or("").to_owned());
            MappingError { offset, message: format!("the expression cannot be read: {what}") }
        })?;
        let mut count = 0;
        let node = convert(program.expression(), 0, &mut count)?;
        Ok(Self { source: Arc::from(source), node: Arc::new(node) })
    }

    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    #[cfg(test)]
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// The reference, where the whole expression is one.
    pub(super) fn as_reference(&self) -> Option<&Reference> {
        match self.node.as_ref() {
            Node::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// Its value in a scope.
    ///
    /// # Errors
    /// `bad-mapping`: an unknown name, wrong operands, a limit.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Arc<Value>, Fault> {
        operators::evaluate(&self.node, scope)
    }

    /// Every reference in it.
    #[must_use]
    pub fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        collect(&self.node, &mut found);
        found
    }

    /// The type of its value, given the types of what it refers to.
    ///
    /// # Errors
    /// [`MappingError`] where an operator can never take its operands.
    pub fn result_type(&self, types: &dyn Fn(&Reference) -> FieldType) -> Result<FieldType, MappingError> {
        operators::result_type(&self.node, types)
    }
}

fn collect<'n>(node: &'n Node, found: &mut Vec<&'n Reference>) {
    match node {
        Node::Literal(_) => {}
        Node::Reference(reference) => found.push(reference),
        Node::Has(a) | Node::Not(a) | Node::Negate(a) => collect(a, found),
        Node::Index(a, b) | Node::And(a, b) | Node::Or(a, b) | Node::Binary(_, a, b) => {
            collect(a, found);
            collect(b, found);
        }
        Node::Choose(a, b, c) => [a, b, c].into_iter().for_each(|n| collect(n, found)),
        Node::Call(_, list) | Node::List(list) => list.iter().for_each(|n| collect(n, found)),
        Node::Object(pairs) => pairs.iter().for_each(|(k, v)| {
            collect(k, found);
            collect(v, found);
        }),
    }
}

fn convert(expression: &IdedExpr, depth: usize, count: &mut usize) -> Result<Node, MappingError> {
    *count += 1;
    if *count > NODES_MAX || depth > DEPTH_MAX * 2 {
        return Err(wrong("the expression is too large; use function cards"));
    }
    let mut inner = |e: &IdedExpr| convert(e, depth + 1, count);
    Ok(match &expression.expr {
        Expr::Literal(literal) => Node::Literal(Arc::new(literal_value(literal)?)),
        Expr::Ident(name) => Node::Reference(Reference { root: name.clone(), path: Vec::new() }),
        Expr::Select(select) => {
            let node = below(inner(&select.operand)?, PathPart::Key(select.field.clone()));
            if select.test { Node::Has(Box::new(node)) } else { node }
        }
        Expr::List(list) => Node::List(list.elements.iter().map(inner).collect::<Result<_, _>>()?),
        Expr::Map(map) => {
            let mut pairs = Vec::with_capacity(map.entries.len());
            for entry in &map.entries {
                let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(wrong("not an object")) };
                pairs.push((inner(&entry.key)?, inner(&entry.value)?));
            }
            Node::Object(pairs)
        }
        Expr::Call(call) => {
            let mut arguments = Vec::with_capacity(call.args.len() + 1);
            if let Some(target) = &call.target {
                arguments.push(inner(target)?);
            }
            for argument in &call.args {
                arguments.push(inner(argument)?);
            }
            operation(&call.func_name, arguments)?
        }
        Expr::Comprehension(_) => {
            return Err(wrong(
                "`all`, `exists`, `map` and `filter` are not for expressions; use the map and filter cards",
            ));
        }
        Expr::Struct(_) | Expr::Unspecified => return Err(wrong("the expression cannot be read")),
    })
}

/// A part below a node: lengthens a reference, else a computed index.
pub(super) fn below(node: Node, part: PathPart) -> Node {
    match node {
        Node::Reference(mut reference) => {
            reference.path.push(part);
            Node::Reference(reference)
        }
        other => {
            let key = match part {
                PathPart::Key(key) => Value::String(key),
                PathPart::Index(index) => Value::from(index),
            };
            Node::Index(Box::new(other), Box::new(Node::Literal(Arc::new(key))))
        }
    }
}

fn literal_value(literal: &LiteralValue) -> Result<Value, MappingError> {
    Ok(match literal {
        LiteralValue::Null => Value::Null,
        LiteralValue::Boolean(b) => Value::Bool(*b.inner()),
        LiteralValue::Int(i) => Value::from(*i.inner()),
        LiteralValue::UInt(u) => Value::from(*u.inner()),
        LiteralValue::Double(d) => operators::number(*d.inner()),
        LiteralValue::String(s) => Value::String(s.inner().to_owned()),
        LiteralValue::Bytes(_) => return Err(wrong("byte texts are not known here; use plain text")),
    })
}

pub(super) fn operation(name: &str, mut arguments: Vec<Node>) -> Result<Node, MappingError> {
    use cel::common::ast::operators as op;
    let binary = |operator: Binary, mut arguments: Vec<Node>| match (arguments.pop(), arguments.pop()) {
        (Some(b), Some(a)) => Ok(Node::Binary(operator, Box::new(a), Box::new(b))),
        _ => Err(wrong("an operator lacks an operand")),
    };
    let two = |arguments: Vec<Node>| {
        <[Node; 2]>::try_from(arguments)
            .map(|[a, b]| (Box::new(a), Box::new(b)))
            .map_err(|_| wrong("needs two operands"))
    };
    let one = |arguments: Vec<Node>| {
        <[Node; 1]>::try_from(arguments).map(|[a]| Box::new(a)).map_err(|_| wrong("needs one operand"))
    };
    Ok(match name {
        op::LOGICAL_AND => two(arguments).map(|(a, b)| Node::And(a, b))?,
        op::LOGICAL_OR => two(arguments).map(|(a, b)| Node::Or(a, b))?,
        op::LOGICAL_NOT => Node::Not(one(arguments)?),
        op::NEGATE => Node::Negate(one(arguments)?),
        op::CONDITIONAL => {
            let [a, b, c] = <[Node; 3]>::try_from(arguments).map_err(|_| wrong("`? :` needs three parts"))?;
            Node::Choose(Box::new(a), Box::new(b), Box::new(c))
        }
        op::INDEX => {
            let (of, at) = two(arguments)?;
            match at.as_ref() {
                Node::Literal(value) => match value.as_ref() {
                    Value::String(key) => below(*of, PathPart::Key(key.clone())),
                    Value::Number(n) => match n.as_u64().and_then(|n| usize::try_from(n).ok()) {
                        Some(index) => below(*of, PathPart::Index(index)),
                        None => return Err(wrong("a position is a whole number from 0")),
                    },
                    _ => return Err(wrong("an index is a text or a number")),
                },
                _ => Node::Index(of, at),
            }
        }
        op::HAS => Node::Has(one(arguments)?),
        op::ADD => binary(Binary::Add, arguments)?,
        op::SUBSTRACT => binary(Binary::Subtract, arguments)?,
        op::MULTIPLY => binary(Binary::Multiply, arguments)?,
        op::DIVIDE => binary(Binary::Divide, arguments)?,
        op::MODULO => binary(Binary::Remainder, arguments)?,
        op::EQUALS => binary(Binary::Equal, arguments)?,
        op::NOT_EQUALS => binary(Binary::NotEqual, arguments)?,
        op::LESS => binary(Binary::Less, arguments)?,
        op::LESS_EQUALS => binary(Binary::LessOrEqual, arguments)?,
        op::GREATER => binary(Binary::Greater, arguments)?,
        op::GREATER_EQUALS => binary(Binary::GreaterOrEqual, arguments)?,
        op::IN => binary(Binary::In, arguments)?,
        other => {
            let function = Function::find(other).ok_or_else(|| {
                wrong(format!("there is no function `{other}`; there are {}", Function::names().join(", ")))
            })?;
            function.check_count(arguments.len()).map_err(wrong)?;
            Node::Call(function, std::mem::take(&mut arguments))
        }
    })
}
