//! One addition to a tree: an item of a list or an entry of a map, with the path that leads there.
//!
//! Must never take anything away.
//! Tests: `tests/edit.rs`.

use serde_json::Value;

use crate::tree::{Kind, Node};

/// A step of a path into a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    At(usize),
}

/// What is added to a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Addition {
    /// An item at an index of a list.
    Item(usize, Value),
    /// An entry of a map: a new key, or one whose value was empty. Its rank among `order` says where it goes.
    Entry { key: String, value: Value, order: &'static [&'static str] },
}

/// An addition and the node that it goes to.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) node: &'a Node,
    pub(super) document: usize,
    pub(super) path: Vec<Step>,
    pub(super) what: Addition,
}

impl<'a> Change<'a> {
    pub(super) fn new(documents: &'a [Node], node: &'a Node, what: Addition) -> Option<Self> {
        let (document, path) =
            documents.iter().enumerate().find_map(|(i, root)| Some((i, path_to(root, node, &mut Vec::new())?)))?;
        Some(Self { node, document, path, what })
    }

    /// The new card in a tree that has it.
    pub(super) fn added<'t>(&self, documents: &'t [Node]) -> Option<&'t Node> {
        let mut node = documents.get(self.document)?;
        for step in &self.path {
            node = match step {
                Step::Key(key) => node.get(key)?,
                Step::At(index) => node.items()?.get(*index)?,
            };
        }
        match &self.what {
            Addition::Item(index, _) => node.items()?.get(*index),
            Addition::Entry { key, .. } => {
                let mut node = node.get(key)?;
                // A lane that was empty: the card is the first of its list.
                while let Some(cards) = node.get("cards").filter(|_| node.get("id").is_none()) {
                    node = cards;
                }
                node.items()?.first()
            }
        }
    }
}

fn path_to(node: &Node, wanted: &Node, path: &mut Vec<Step>) -> Option<Vec<Step>> {
    if std::ptr::eq(node, wanted) {
        return Some(path.clone());
    }
    let covers = |child: &Node| child.span.start <= wanted.span.start && wanted.span.end <= child.span.end;
    let mut below = |step: Step, child: &Node| {
        path.push(step);
        let found = path_to(child, wanted, path);
        path.pop();
        found
    };
    match &node.kind {
        Kind::Map(entries) => {
            entries.iter().filter(|e| covers(&e.value)).find_map(|e| below(Step::Key(e.key.clone()), &e.value))
        }
        Kind::List(items) => {
            items.iter().enumerate().filter(|(_, n)| covers(n)).find_map(|(i, n)| below(Step::At(i), n))
        }
        _ => None,
    }
}

/// The values of all documents with the changes made.
pub(super) fn applied(documents: &[Node], changes: &[Change<'_>]) -> Option<Vec<Value>> {
    let mut values: Vec<Value> = documents.iter().map(Node::to_value).collect();
    for change in changes {
        let mut value = values.get_mut(change.document)?;
        for step in &change.path {
            value = match step {
                Step::Key(key) => value.get_mut(key)?,
                Step::At(index) => value.get_mut(index)?,
            };
        }
        match &change.what {
            Addition::Item(index, item) => {
                let items = value.as_array_mut()?;
                (*index <= items.len()).then(|| items.insert(*index, item.clone()))?;
            }
            Addition::Entry { key, value: added, .. } => {
                value.as_object_mut()?.insert(key.clone(), added.clone());
            }
        }
    }
    Some(values)
}
