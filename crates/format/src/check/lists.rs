//! Walks over all cards of a flow.
//!
//! Must never miss a lane: one place knows where lanes are.
//! Tests: `tests/diagnostics.rs`.

use flowdeck_model::flow::Items;
use flowdeck_model::{Card, CardKind, CardName, Flow};

/// Calls `visit` for every card of a list, outer before inner.
pub(super) fn walk<'c>(cards: &'c [Card], visit: &mut dyn FnMut(&'c Card)) {
    for card in cards {
        visit(card);
        for list in inner(&card.kind) {
            walk(list, visit);
        }
    }
}

/// The card lists inside a card.
pub(super) fn inner(kind: &CardKind) -> Vec<&[Card]> {
    match kind {
        CardKind::If { then, otherwise, .. } => vec![&then.cards, &otherwise.cards],
        CardKind::ElseIf { branches, otherwise } => {
            branches.iter().map(|b| b.lane.cards.as_slice()).chain([otherwise.cards.as_slice()]).collect()
        }
        CardKind::ForEach(each) => vec![&each.lane.cards],
        CardKind::Map { cards, .. } | CardKind::Filter { cards, .. } | CardKind::Reduce { cards, .. } => vec![cards],
        CardKind::Times { lane, .. } | CardKind::While { lane, .. } => vec![&lane.cards],
        CardKind::Try { lane, catch, .. } => vec![&lane.cards, &catch.cards],
        CardKind::Parallel { lanes } => lanes.values().map(|lane| lane.cards.as_slice()).collect(),
        _ => Vec::new(),
    }
}

/// Whether a flow or one of its helpers uses a card.
pub(super) fn uses(flow: &Flow, name: &CardName) -> bool {
    let mut found = false;
    for flow in std::iter::once(flow).chain(flow.helpers.values()) {
        walk(&flow.cards, &mut |card| {
            found = found
                || match &card.kind {
                    CardKind::Call(call) => call.card == *name,
                    CardKind::ForEach(each) => matches!(&each.each.items, Items::Pages(call) if call.card == *name),
                    CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => {
                        matches!(&each.items, Items::Pages(call) if call.card == *name)
                    }
                    _ => false,
                };
        });
    }
    found
}
