//! Walks over all cards of a flow.
//!
//! Must never know where lanes are: `CardKind::lanes` does.
//! Tests: `tests/diagnostics.rs`.

use flowdeck_model::flow::Items;
use flowdeck_model::{Card, CardKind, CardName, Flow};

/// Calls `visit` for every card of a list, outer before inner.
pub(super) fn walk<'c>(cards: &'c [Card], visit: &mut dyn FnMut(&'c Card)) {
    for card in cards {
        visit(card);
        for list in card.kind.lanes() {
            walk(list, visit);
        }
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
