//! Finds the list that a card goes to.
//!
//! Must never take a card of another flow for the one that was named.
//! Tests: `tests/edit.rs`.

use flowdeck_model::{CardId, CardKind, Flow, Value};
use serde_json::{Map, json};

use super::change::{Addition, Change};
use super::{EditError, Place, Spot};
use crate::order;
use crate::read::{Draft, Places, kinds_of};
use crate::tree::{Kind, Node};

/// A flow in its file, and where in it.
pub(super) struct Found<'a> {
    documents: &'a [Node],
    places: &'a Places<'a>,
    flow: &'a Flow,
    /// The flow that has the slots.
    slots: &'a Node,
    place: &'a Place,
}

/// The flow that a place means.
pub(super) fn find<'a>(
    drafts: &'a [Draft<'a>],
    documents: &'a [Node],
    place: &'a Place,
) -> Result<Found<'a>, EditError> {
    let mut all = Vec::new();
    for draft in drafts {
        all.push((&draft.flow, &draft.places, draft.places.flow));
        for (name, flow) in &draft.flow.helpers {
            if let Some(places) = draft.helpers.get(name.as_str()) {
                let slots = if places.slots_inherited { draft.places.flow } else { places.flow };
                all.push((flow, places, slots));
            }
        }
    }
    let names = all.iter().map(|(flow, ..)| flow.name.to_string()).collect::<Vec<_>>().join(", ");
    let fits = |flow: &Flow| place.flow.as_ref().is_none_or(|name| flow.name == *name);
    let found = match (&place.flow, drafts) {
        (None, [_, _, ..]) => return Err(EditError::Flow(format!("the file holds several flows: {names}"))),
        _ => all.iter().find(|(flow, ..)| fits(flow)),
    };
    match (found, &place.flow) {
        (Some((flow, places, slots)), _) => Ok(Found { documents, places, flow, slots, place }),
        (None, Some(name)) => Err(EditError::Flow(format!("the file has no flow `{name}`; it has {names}"))),
        (None, None) => Err(EditError::Flow("the file holds no flow".into())),
    }
}

/// Where a list of cards is, or would be.
enum Target<'a> {
    List(&'a Node),
    /// A key of a map whose value is missing or empty.
    Missing(&'a Node, &'a str, &'static [&'static str]),
    /// A lane that is written as an empty list or not at all is always a list.
    Wrapped(&'a Node, &'a str, &'static [&'static str], &'static str),
}

impl<'a> Found<'a> {
    fn node(&self, id: &CardId) -> Result<&'a Node, EditError> {
        self.places.cards.get(id).copied().ok_or_else(|| EditError::Card(id.clone()))
    }

    pub(super) fn slot_change(&self, name: &str, slot: Value) -> Change<'a> {
        let (node, what) = match self.slots.get("slots") {
            Some(slots) if slots.entries().is_some_and(|e| !e.is_empty()) => {
                (slots, Addition::Entry { key: name.into(), value: slot, order: &[] })
            }
            _ => {
                let value = json!({ name: slot });
                (self.slots, Addition::Entry { key: "slots".into(), value, order: order::FLOW })
            }
        };
        self.change(node, what)
    }

    fn change(&self, node: &'a Node, what: Addition) -> Change<'a> {
        // Every node of a flow is below a document; the empty path would be refused by the comparison that follows.
        Change::new(self.documents, node, what.clone()).unwrap_or(Change {
            node,
            document: usize::MAX,
            path: Vec::new(),
            what,
        })
    }

    pub(super) fn card_change(&self, card: Value) -> Result<Change<'a>, EditError> {
        if let Spot::After(id) = &self.place.spot {
            let node = self.node(id)?;
            if node.entries().is_some() && self.places.flow.get("on").is_some_and(|on| std::ptr::eq(on, node)) {
                return Ok(self.at(self.own_list(), 0, card));
            }
            let (list, index) = list_of(self.places.flow, node).ok_or_else(|| EditError::Card(id.clone()))?;
            return Ok(self.change(list, Addition::Item(index + 1, card)));
        }
        let target = match &self.place.lane {
            None => self.own_list(),
            Some((id, lane)) => self.lane(id, lane)?,
        };
        let index = match &target {
            Target::List(list) if self.place.spot == Spot::End => self.end_of(list),
            _ => 0,
        };
        Ok(self.at(target, index, card))
    }

    fn at(&self, target: Target<'a>, index: usize, card: Value) -> Change<'a> {
        match target {
            Target::List(list) => self.change(list, Addition::Item(index, card)),
            Target::Missing(map, key, order) => {
                self.change(map, Addition::Entry { key: key.into(), value: json!([card]), order })
            }
            Target::Wrapped(map, key, order, inner) => {
                let mut lane = Map::new();
                lane.insert(inner.into(), json!([card]));
                self.change(map, Addition::Entry { key: key.into(), value: Value::Object(lane), order })
            }
        }
    }

    fn own_list(&self) -> Target<'a> {
        list_at(self.places.flow, "cards", order::FLOW)
    }

    /// Behind the last card, or before it where nothing behind it could run.
    fn end_of(&self, list: &Node) -> usize {
        let items = list.items().unwrap_or(&[]);
        let ends = |node: &Node| {
            let id = self.places.cards.iter().find(|(_, n)| std::ptr::eq(**n, node)).map(|(id, _)| id);
            id.and_then(|id| card_of(&self.flow.cards, id)).is_some_and(|always_ends| always_ends)
        };
        items.len() - usize::from(items.last().is_some_and(ends))
    }

    fn lane(&self, id: &CardId, lane: &str) -> Result<Target<'a>, EditError> {
        let node = self.node(id)?;
        let word = kinds_of(node).first().copied().unwrap_or("card");
        let head = node.get(word);
        let branches = head.and_then(Node::items).unwrap_or(&[]);
        let numbers = (1..=branches.len()).map(|n| n.to_string());
        let known: Vec<String> = match word {
            "if" => vec!["then".into(), "else".into()],
            "else_if" => numbers.chain(["else".into()]).collect(),
            "for_each" | "map" | "filter" | "reduce" | "times" | "while" => vec!["cards".into()],
            "try" => vec!["try".into(), "catch".into()],
            "parallel" => head.and_then(Node::entries).unwrap_or(&[]).iter().map(|e| e.key.clone()).collect(),
            _ => Vec::new(),
        };
        if !known.iter().any(|name| name == lane) {
            let known =
                if known.is_empty() { "; it has none".into() } else { format!("; it has {}", known.join(", ")) };
            return Err(EditError::Lane { card: id.clone(), lane: lane.into(), known });
        }
        let branch = lane.parse::<usize>().ok().and_then(|n| branches.get(n.wrapping_sub(1)));
        Ok(match (word, branch, head) {
            ("else_if", Some(branch), _) => list_at(branch, "cards", order::BRANCH),
            ("parallel", _, Some(head)) => match head.entry(lane) {
                Some(entry) => list_at(head, &entry.key, &[]),
                None => Target::Missing(node, "parallel", order::CARD),
            },
            ("if" | "else_if" | "try", ..) => {
                let key = ["then", "else", "try", "catch"].into_iter().find(|k| *k == lane).unwrap_or("then");
                list_at(node, key, order::CARD)
            }
            _ => list_at(node, "cards", order::CARD),
        })
    }
}

/// The list below a key: itself, its `cards` where it is a lane with more, or the place where it would be.
fn list_at<'a>(map: &'a Node, key: &'a str, order: &'static [&'static str]) -> Target<'a> {
    match map.get(key) {
        Some(value) if value.items().is_some_and(|items| !items.is_empty()) => Target::List(value),
        Some(value) if matches!(&value.kind, Kind::Map(entries) if !entries.is_empty()) => {
            list_at(value, "cards", order::LANE)
        }
        Some(value) if matches!(value.kind, Kind::Map(_)) && key != "cards" => {
            Target::Wrapped(map, key, order, "cards")
        }
        _ => Target::Missing(map, key, order),
    }
}

/// The list that holds a node, and at which index.
fn list_of<'a>(root: &'a Node, wanted: &Node) -> Option<(&'a Node, usize)> {
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if let Some(items) = node.items() {
            if let Some(at) = items.iter().position(|n| std::ptr::eq(n, wanted)) {
                return Some((node, at));
            }
            open.extend(items);
        }
        open.extend(node.entries().into_iter().flatten().map(|e| &e.value));
    }
    None
}

/// Whether the card of this id always ends, wherever it is.
fn card_of(cards: &[flowdeck_model::Card], id: &CardId) -> Option<bool> {
    let mut open: Vec<&[flowdeck_model::Card]> = vec![cards];
    while let Some(list) = open.pop() {
        for card in list {
            if card.id == *id {
                return Some(card.always_ends());
            }
            if !matches!(card.kind, CardKind::Call(_)) {
                open.extend(card.kind.lanes());
            }
        }
    }
    None
}
