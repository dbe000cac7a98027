//! The card lists inside a card, and whether a list goes on behind it.
//!
//! Must never miss a lane: a new kind of card does not compile before it says here where its cards are.
//! Tests: below.

use crate::flow::{Card, CardKind, Flow};
use crate::names::CardId;

impl Card {
    /// A card with nothing set but what it does.
    ///
    /// ```
    /// use flowdeck_model::{Card, CardId, CardKind, Flow, Mapping, Trigger};
    /// use serde_json::json;
    ///
    /// // Flows are read from files (crate `format`); stored, they are JSON.
    /// let mut flow: Flow = serde_json::from_value(json!({ "name": "hello", "cards": [] }))?;
    /// let with = [("text".to_owned(), Mapping::Literal(json!("Hello")))].into_iter().collect();
    /// flow.cards.push(Card::new(CardId::new("answer")?, CardKind::Return { with }));
    /// assert_eq!((flow.card_count(), flow.on), (1, Trigger::Manual));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(id: CardId, kind: CardKind) -> Self {
        Self {
            id,
            title: String::new(),
            note: String::new(),
            disabled: false,
            retry: None,
            timeout_ms: None,
            in_doubt: None,
            kind,
        }
    }

    /// Whether nothing behind this card in its list can run.
    #[must_use]
    pub fn always_ends(&self) -> bool {
        !self.disabled
            && match &self.kind {
                CardKind::Return { .. }
                | CardKind::ReturnRaw { go_on: false, .. }
                | CardKind::ReturnError { when: None, .. } => true,
                CardKind::If { then, otherwise, .. } => {
                    then.cards.iter().any(Self::always_ends) && otherwise.cards.iter().any(Self::always_ends)
                }
                _ => false,
            }
    }
}

impl CardKind {
    /// The lists of cards inside this card, in the order in which they are written; empty for cards that have none.
    #[must_use]
    pub fn lanes(&self) -> Vec<&[Card]> {
        match self {
            Self::If { then, otherwise, .. } => vec![&then.cards, &otherwise.cards],
            Self::ElseIf { branches, otherwise } => {
                branches.iter().map(|b| b.lane.cards.as_slice()).chain([otherwise.cards.as_slice()]).collect()
            }
            Self::ForEach(each) => vec![&each.lane.cards],
            Self::Map { cards, .. } | Self::Filter { cards, .. } | Self::Reduce { cards, .. } => vec![cards],
            Self::Times { lane, .. } | Self::While { lane, .. } => vec![&lane.cards],
            Self::Try { lane, catch, .. } => vec![&lane.cards, &catch.cards],
            Self::Parallel { lanes } => lanes.values().map(|lane| lane.cards.as_slice()).collect(),
            Self::Call(_)
            | Self::AssignIf { .. }
            | Self::Lookup { .. }
            | Self::ContinueIf { .. }
            | Self::CallFlow { .. }
            | Self::CallFlowAsync { .. }
            | Self::Return { .. }
            | Self::ReturnRaw { .. }
            | Self::ReturnError { .. }
            | Self::Wait(_) => Vec::new(),
        }
    }
}

impl Flow {
    /// How many cards it has, those in lanes and helpers too.
    #[must_use]
    pub fn card_count(&self) -> usize {
        let mut lists: Vec<&[Card]> = self.helpers.values().map(|helper| helper.cards.as_slice()).collect();
        lists.push(&self.cards);
        let mut count = 0;
        while let Some(cards) = lists.pop() {
            count += cards.len();
            lists.extend(cards.iter().flat_map(|card| card.kind.lanes()));
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::flow::{Branch, Lane};
    use crate::mapping::Mapping;

    fn lane(ids: &[&str]) -> Lane {
        let card = |id: &&str| Card::new(CardId::new(id).unwrap(), CardKind::Return { with: IndexMap::new() });
        Lane { cards: ids.iter().map(card).collect(), give: IndexMap::new() }
    }

    #[test]
    fn every_list_is_there_in_order() {
        let yes = || Mapping::Literal(true.into());
        let (first, second) = (CardId::new("first").unwrap(), CardId::new("second").unwrap());
        let cases = [
            (CardKind::If { when: yes(), then: lane(&["a"]), otherwise: lane(&["b"]) }, "a|b"),
            (
                CardKind::ElseIf {
                    branches: vec![
                        Branch { when: yes(), lane: lane(&["a", "b"]) },
                        Branch { when: yes(), lane: lane(&["c"]) },
                    ],
                    otherwise: lane(&["d"]),
                },
                "a b|c|d",
            ),
            (CardKind::Try { lane: lane(&["a"]), retry: None, error: first.clone(), catch: lane(&["b"]) }, "a|b"),
            (
                CardKind::Parallel { lanes: [(first, lane(&["a"])), (second, lane(&["b"]))].into_iter().collect() },
                "a|b",
            ),
            (CardKind::Return { with: IndexMap::new() }, ""),
        ];
        for (kind, expected) in cases {
            let ids = |cards: &[Card]| cards.iter().map(|c| c.id.to_string()).collect::<Vec<_>>().join(" ");
            let lists: Vec<String> = kind.lanes().into_iter().map(ids).collect();
            assert_eq!(lists.join("|"), expected, "{}", kind.word());
        }
    }
}
