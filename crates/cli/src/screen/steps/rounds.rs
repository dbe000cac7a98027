//! How many rounds the loops of a flow have, as far as the outputs of its cards tell.
//!
//! Must never keep a list, only its length; nor guess where a loop is filled by more than one list.
//! Tests: below.

use std::collections::HashMap;

use flowdeck::model::flow::{Each, Items};
use flowdeck::model::mapping::{PathPart, Reference};
use flowdeck::model::{Card, CardId, CardKind, Fields, Flow, Mapping, Value};

/// Loops that wait for an output, and those whose rounds are known.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    /// By the card whose output fills them.
    filled_by: HashMap<CardId, Vec<(CardId, Reference)>>,
    known: HashMap<CardId, u64>,
}

impl Rounds {
    /// Of a flow and its helpers.
    pub(crate) fn of(flow: &Flow) -> Self {
        let mut rounds = Self::default();
        rounds.read(&flow.cards);
        flow.helpers.values().for_each(|helper| rounds.read(&helper.cards));
        rounds
    }

    fn read(&mut self, cards: &[Card]) {
        for card in cards {
            match &card.kind {
                CardKind::ForEach(for_each) => self.each(&card.id, &for_each.each),
                CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => {
                    self.each(&card.id, each);
                }
                CardKind::Times { count, .. } => self.filled(&card.id, count),
                _ => {}
            }
            card.kind.lanes().into_iter().for_each(|lane| self.read(lane));
        }
    }

    fn each(&mut self, id: &CardId, each: &Each) {
        // Pages come as they come: how many there are is not known before the last.
        if let Items::List(list) = &each.items {
            self.filled(id, list);
        }
    }

    fn filled(&mut self, id: &CardId, by: &Mapping) {
        match by {
            Mapping::Literal(value) => self.know(id, value),
            Mapping::List(list) => drop(self.known.insert(id.clone(), list.len() as u64)),
            Mapping::Reference(reference) => {
                if let Ok(card) = CardId::new(&reference.root) {
                    self.filled_by.entry(card).or_default().push((id.clone(), reference.clone()));
                }
            }
            _ => {}
        }
    }

    /// Takes down what a card's outputs tell of later loops.
    pub(crate) fn learn(&mut self, card: &CardId, outputs: &Fields) {
        let Some(loops) = self.filled_by.get(card).cloned() else { return };
        for (id, reference) in loops {
            let mut parts = reference.path.iter();
            let first = parts.next().and_then(|part| match part {
                PathPart::Key(key) => Some(outputs.get(key)),
                PathPart::Index(_) => None,
            });
            if let Some(value) = first.and_then(|value| parts.try_fold(value, |value, part| part.of(value))) {
                self.know(&id, value);
            }
        }
    }

    fn know(&mut self, id: &CardId, value: &Value) {
        let rounds = match value {
            Value::Array(list) => Some(list.len() as u64),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides")]
            other => other.as_f64().filter(|n| (0.0..9e15).contains(n)).map(|n| n as u64),
        };
        match rounds {
            Some(rounds) => drop(self.known.insert(id.clone(), rounds)),
            None => drop(self.known.remove(id)),
        }
    }

    /// The rounds of a loop, where they are known.
    pub(crate) fn of_loop(&self, id: &CardId) -> Option<u64> {
        self.known.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_numbers_tell_and_what_is_worked_out_does_not() {
        let text = "flow: a\ncards:\n  - { id: found, card: okta/listUsersWithFilter }\n  - { id: a, for_each: \"${found.Users}\" }\n  \
                    - { id: b, for_each: \"${found.deep.rows}\" }\n  - { id: c, times: 7 }\n  - { id: d, for_each: [x, y] }\n  \
                    - { id: e, for_each: \"${list(found.Users)}\" }\n  - { id: f, times: \"${found.many}\" }\n";
        let flow = flowdeck::read(&flowdeck::Source::new("a.yaml", text), None).flows.remove(0);
        let mut rounds = Rounds::of(&flow);
        let known = |rounds: &Rounds| -> Vec<Option<u64>> {
            ["a", "b", "c", "d", "e", "f"].iter().map(|id| rounds.of_loop(&CardId::new(id).unwrap())).collect()
        };
        assert_eq!(known(&rounds), [None, None, Some(7), Some(2), None, None]);
        let outputs = json!({ "Users": [1, 2, 3], "deep": { "rows": [1] }, "many": 12 });
        rounds.learn(&CardId::new("found").unwrap(), &Fields::from_value(outputs));
        assert_eq!(known(&rounds), [Some(3), Some(1), Some(7), Some(2), None, Some(12)]);
        // In a loop it may give something else, or nothing, the next time.
        rounds.learn(&CardId::new("found").unwrap(), &Fields::from_value(json!({ "Users": null, "deep": {} })));
        assert_eq!(known(&rounds)[0], None);
    }
}
