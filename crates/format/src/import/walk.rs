//! Ways into a card that was built: its own mappings, and the card lists inside it, to be changed in place.
//!
//! Must never miss one: a new kind of card does not compile before it says here what it holds.
//! Tests: `tests/import.rs` (secrets inside every kind of card).

use flowdeck_model::flow::{Call, Each, Items, Mappings, WaitUntil};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{Card, CardKind, CardName};

/// A mapping: the card of the catalogue whose field it fills, the field's key, the mapping.
pub(super) type Place<'m> = (Option<CardName>, String, &'m mut Mapping);

/// The mappings of a card itself.
pub(super) fn mappings(kind: &mut CardKind) -> Vec<Place<'_>> {
    match kind {
        CardKind::Call(call) => of_call(call),
        CardKind::If { when, then, otherwise } => {
            let mut all = vec![plain("when", when)];
            all.extend(named(&mut then.give).chain(named(&mut otherwise.give)));
            all
        }
        CardKind::ElseIf { branches, otherwise } => {
            let mut all = Vec::new();
            for branch in branches {
                all.push(plain("when", &mut branch.when));
                all.extend(named(&mut branch.lane.give));
            }
            all.extend(named(&mut otherwise.give));
            all
        }
        CardKind::AssignIf { when, then, otherwise } => {
            vec![plain("when", when), plain("then", then), plain("otherwise", otherwise)]
        }
        CardKind::Lookup { key, options, otherwise } => {
            let mut all = vec![plain("key", key), plain("otherwise", otherwise)];
            all.extend(named(options));
            all
        }
        CardKind::ContinueIf { when, message } => {
            std::iter::once(plain("when", when)).chain(message.as_mut().map(|m| plain("message", m))).collect()
        }
        CardKind::ForEach(each) => of_each(&mut each.each).into_iter().chain(named(&mut each.lane.give)).collect(),
        CardKind::Map { each, value, .. } => with(of_each(each), "value", value),
        CardKind::Filter { each, keep, .. } => with(of_each(each), "keep", keep),
        CardKind::Reduce { each, start, value, .. } => with(with(of_each(each), "start", start), "value", value),
        CardKind::Times { count, lane, .. } => {
            std::iter::once(plain("count", count)).chain(named(&mut lane.give)).collect()
        }
        CardKind::While { start, when, lane, .. } => {
            std::iter::once(plain("when", when)).chain(named(start)).chain(named(&mut lane.give)).collect()
        }
        CardKind::Try { lane, catch, .. } => named(&mut lane.give).chain(named(&mut catch.give)).collect(),
        CardKind::Parallel { lanes } => lanes.values_mut().flat_map(|lane| named(&mut lane.give)).collect(),
        CardKind::CallFlow { with, .. } | CardKind::CallFlowAsync { with, .. } | CardKind::Return { with } => {
            named(with).collect()
        }
        CardKind::ReturnRaw { status, headers, body, .. } => {
            vec![plain("status", status), plain("headers", headers), plain("body", body)]
        }
        CardKind::ReturnError { message, status, with, when } => {
            let parts = [status.as_mut().map(|m| plain("status", m)), when.as_mut().map(|m| plain("when", m))];
            std::iter::once(plain("message", message)).chain(parts.into_iter().flatten()).chain(named(with)).collect()
        }
        CardKind::Wait(wait) => match &mut wait.until {
            WaitUntil::Duration(mapping) | WaitUntil::Time(mapping) => vec![plain("until", mapping)],
            WaitUntil::Signal { name } => vec![plain("signal", name)],
            WaitUntil::Approval { message } => vec![plain("approval", message)],
        },
    }
}

/// The card lists inside a card.
pub(super) fn lanes(kind: &mut CardKind) -> Vec<&mut Vec<Card>> {
    match kind {
        CardKind::If { then, otherwise, .. } => vec![&mut then.cards, &mut otherwise.cards],
        CardKind::ElseIf { branches, otherwise } => {
            branches.iter_mut().map(|b| &mut b.lane.cards).chain([&mut otherwise.cards]).collect()
        }
        CardKind::ForEach(each) => vec![&mut each.lane.cards],
        CardKind::Map { cards, .. } | CardKind::Filter { cards, .. } | CardKind::Reduce { cards, .. } => vec![cards],
        CardKind::Times { lane, .. } | CardKind::While { lane, .. } => vec![&mut lane.cards],
        CardKind::Try { lane, catch, .. } => vec![&mut lane.cards, &mut catch.cards],
        CardKind::Parallel { lanes } => lanes.values_mut().map(|lane| &mut lane.cards).collect(),
        CardKind::Call(_)
        | CardKind::AssignIf { .. }
        | CardKind::Lookup { .. }
        | CardKind::ContinueIf { .. }
        | CardKind::CallFlow { .. }
        | CardKind::CallFlowAsync { .. }
        | CardKind::Return { .. }
        | CardKind::ReturnRaw { .. }
        | CardKind::ReturnError { .. }
        | CardKind::Wait(_) => Vec::new(),
    }
}

/// Every card of a list and of the lists inside, in no order.
pub(super) fn every(cards: &mut [Card], visit: &mut dyn FnMut(&mut Card)) {
    let mut lists: Vec<&mut [Card]> = vec![cards];
    while let Some(list) = lists.pop() {
        for card in list {
            visit(card);
            lists.extend(lanes(&mut card.kind).into_iter().map(Vec::as_mut_slice));
        }
    }
}

/// The fields of a call, of an event card too.
pub(super) fn filled<'m>(card: &CardName, fields: &'m mut Mappings) -> impl Iterator<Item = Place<'m>> {
    let card = card.clone();
    fields.iter_mut().map(move |(key, mapping)| (Some(card.clone()), key.clone(), mapping))
}

fn of_call(call: &mut Call) -> Vec<Place<'_>> {
    filled(&call.card, &mut call.with).collect()
}

fn of_each(each: &mut Each) -> Vec<Place<'_>> {
    match &mut each.items {
        Items::List(mapping) => vec![plain("items", mapping)],
        Items::Pages(call) => of_call(call),
    }
}

fn with<'m>(mut all: Vec<Place<'m>>, key: &str, mapping: &'m mut Mapping) -> Vec<Place<'m>> {
    all.push(plain(key, mapping));
    all
}

fn plain<'m>(key: &str, mapping: &'m mut Mapping) -> Place<'m> {
    (None, key.to_owned(), mapping)
}

fn named(mappings: &mut Mappings) -> impl Iterator<Item = Place<'_>> {
    mappings.iter_mut().map(|(key, mapping)| (None, key.clone(), mapping))
}
