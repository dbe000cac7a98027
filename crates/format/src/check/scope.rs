//! What mappings can see at a place in a flow, with types.
//!
//! Must never show a card what runs later or inside another lane.
//! Tests: `tests/diagnostics.rs`.

use flowdeck_model::mapping::{PathPart, Reference};
use flowdeck_model::{FieldDecl, FieldType};

use crate::upstream::Upstream;

/// What stands behind a name.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Its type.
    pub(super) kind: FieldType,
    /// Whether it has parts beyond the known ones.
    pub(super) open: bool,
    /// Whether it is a card's outputs, which are always an object with these keys.
    pub(super) card: bool,
}

impl Shape {
    /// A value of a type.
    pub(super) fn value(kind: FieldType) -> Self {
        Self { kind, open: true, card: false }
    }

    /// Outputs of a card.
    pub(super) fn card(fields: Vec<FieldDecl>, open: bool) -> Self {
        Self { kind: FieldType::Object(fields), open, card: true }
    }
}

/// The visible names, innermost last.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: Vec<(String, Shape)>,
}

/// What is wrong with a path below a name.
#[derive(Debug)]
pub(super) enum PathTrouble {
    /// A card without such an output; the outputs it has.
    Output(String, Vec<String>),
    /// An object whose known keys do not have it.
    Key(String, Vec<String>),
    /// A value without parts; what it is.
    Parts(String, String),
}

impl Scope {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.names.truncate(len);
    }

    pub(super) fn add(&mut self, name: &str, shape: Shape) {
        self.names.push((name.to_string(), shape));
    }

    pub(super) fn find(&self, name: &str) -> Option<&Shape> {
        self.names.iter().rev().find(|(n, _)| n == name).map(|(_, shape)| shape)
    }

    /// All of it, the innermost of names that hide others.
    pub(super) fn seen(&self) -> Vec<Upstream> {
        let hidden = |at: usize, name: &str| self.names[at + 1..].iter().any(|(n, _)| n == name);
        let visible = self.names.iter().enumerate().filter(|(at, (name, _))| !hidden(*at, name));
        visible
            .map(|(_, (name, shape))| Upstream { name: name.clone(), kind: shape.kind.clone(), open: shape.open })
            .collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// The type of a reference; any where it is not known.
    pub(super) fn type_of(&self, reference: &Reference) -> FieldType {
        self.find(&reference.root).and_then(|shape| walk(shape, &reference.path).ok()).unwrap_or_default()
    }
}

/// The type at the end of a path.
pub(super) fn walk(shape: &Shape, path: &[PathPart]) -> Result<FieldType, PathTrouble> {
    let mut kind = &shape.kind;
    let any = FieldType::Any;
    for (i, part) in path.iter().enumerate() {
        kind = match (kind, part) {
            (FieldType::Any | FieldType::File, _) => &any,
            (FieldType::Object(fields), PathPart::Key(key)) => match fields.iter().find(|f| f.key == *key) {
                Some(field) => &field.kind,
                None if fields.is_empty() && !(shape.card && i == 0 && !shape.open) => &any,
                None if i == 0 && shape.open && shape.card => &any,
                None => {
                    let keys = fields.iter().map(|f| f.key.clone()).collect();
                    let first = i == 0 && shape.card;
                    return Err(if first {
                        PathTrouble::Output(key.clone(), keys)
                    } else {
                        PathTrouble::Key(key.clone(), keys)
                    });
                }
            },
            (FieldType::List(item), part) if part.position().is_some() => item,
            (other, PathPart::Key(key)) => return Err(PathTrouble::Parts(key.clone(), other.word())),
            (other, PathPart::Index(at)) => return Err(PathTrouble::Parts(format!("[{at}]"), other.word())),
        };
    }
    Ok(kind.clone())
}
