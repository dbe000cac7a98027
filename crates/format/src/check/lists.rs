//! Walks over all cards of a flow.
//!
//! Must never know where lanes are: `CardKind::lanes` does.
//! Tests: `tests/diagnostics.rs`.

use flowdeck_model::flow::{Call, Items};
use flowdeck_model::{Card, CardKind, CardName, Flow, SlotName, Trigger};

/// Calls `visit` for every card of a list, outer before inner.
pub(super) fn walk<'c>(cards: &'c [Card], visit: &mut dyn FnMut(&'c Card)) {
    for card in cards {
        visit(card);
        for list in card.kind.lanes() {
            walk(list, visit);
        }
    }
}

/// The function or action that a card calls, itself or for its pages.
fn called(card: &Card) -> Option<&Call> {
    let items = match &card.kind {
        CardKind::Call(call) => return Some(call),
        CardKind::ForEach(each) => &each.each.items,
        CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => &each.items,
        _ => return None,
    };
    match items {
        Items::Pages(call) => Some(call),
        Items::List(_) => None,
    }
}

/// Whether a flow or one of its helpers has a call of this sort.
fn any(flow: &Flow, wanted: &dyn Fn(&Call) -> bool) -> bool {
    let mut found = false;
    for flow in std::iter::once(flow).chain(flow.helpers.values()) {
        walk(&flow.cards, &mut |card| found = found || called(card).is_some_and(wanted));
    }
    found
}

/// Whether a flow or one of its helpers uses a card.
pub(super) fn uses(flow: &Flow, name: &CardName) -> bool {
    any(flow, &|call| call.card == *name)
}

/// Whether a slot is that of a card that is marked as unbound.
pub(super) fn is_unbound(flow: &Flow, slot: &SlotName) -> bool {
    matches!(&flow.on, Trigger::Event(event) if event.unbound && event.slot.as_ref() == Some(slot))
        || any(flow, &|call| call.unbound && call.slot.as_ref() == Some(slot))
}
