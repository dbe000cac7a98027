//! The slot of a new card, and a flow that needs nothing but its connection: what is asked when it is added.
//!
//! Must never choose between two slots.
//! Tests: below.

use flowdeck::format::edit::NewSlot;
use flowdeck::model::flow::{Card, Slot};
use flowdeck::model::{AppName, CardDecl, CardKind, CardName, Catalogue, FieldDecl, Flow, FlowName, SlotName, Trigger};
use indexmap::IndexMap;
use serde_json::{Value, json};

/// Which slot a card gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SlotChoice {
    /// One that is there.
    There(SlotName),
    /// One that is added.
    New(NewSlot),
    /// A person has to say which of these.
    Several(Vec<SlotName>),
}

/// The slot for an app: the named one, the only one, or a new one.
pub(crate) fn slot_for(
    slots: &IndexMap<SlotName, Slot>,
    app: &AppName,
    named: Option<&SlotName>,
) -> Result<SlotChoice, String> {
    let new = |name: SlotName| SlotChoice::New(NewSlot { name, app: app.clone(), nickname: None });
    if let Some(name) = named {
        return match slots.get(name) {
            Some(slot) if slot.app == *app => Ok(SlotChoice::There(name.clone())),
            Some(slot) => Err(format!("the slot `{name}` is one of `{}`, and the card wants one of `{app}`", slot.app)),
            None => Ok(new(name.clone())),
        };
    }
    let fitting: Vec<SlotName> = slots.iter().filter(|(_, s)| s.app == *app).map(|(n, _)| n.clone()).collect();
    match fitting.as_slice() {
        [only] => Ok(SlotChoice::There(only.clone())),
        [] => free_name(slots, app).map(new).ok_or_else(|| format!("name the slot of `{app}` with --slot")),
        _ => Ok(SlotChoice::Several(fitting)),
    }
}

/// A name for a further slot of an app.
pub(crate) fn free_name(slots: &IndexMap<SlotName, Slot>, app: &AppName) -> Option<SlotName> {
    let base: String =
        app.as_str().to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let numbered = (2..1_000).map(|n| format!("{base}_{n}"));
    let names = std::iter::once(base.clone()).chain(numbered).filter_map(|name| SlotName::new(&name).ok());
    names.into_iter().find(|name| !slots.contains_key(name))
}

/// A flow with the same name and slot, and the cards that use it, the new one first. Its prompt is the one that a run
/// of the real flow would raise, whatever the rest of the file is like by now.
pub(crate) fn flow_of_slot(
    flow: &FlowName,
    old: Option<&Flow>,
    new: &CardDecl,
    slot: &NewSlot,
    cards: &dyn Catalogue,
) -> String {
    let mut names: Vec<(CardName, bool)> = vec![(new.name.clone(), new.role == flowdeck::model::CardRole::Event)];
    if let Some(old) = old {
        if let Trigger::Event(event) = &old.on
            && event.slot.as_ref() == Some(&slot.name)
        {
            names.push((event.card.clone(), true));
        }
        let used = old.helpers.values().flat_map(|h| &h.cards).chain(&old.cards);
        used.for_each(|card| uses(card, &slot.name, &mut names));
    }
    let scopes = old.and_then(|old| old.slots.get(&slot.name)).map(|slot| slot.scopes.clone()).unwrap_or_default();
    let mut declared = json!({ "app": slot.app.as_str(), "scopes": scopes });
    if let Some(nickname) = &slot.nickname {
        declared["nickname"] = nickname.as_str().into();
    }
    let filled = |fields: &[FieldDecl]| -> Value {
        let needed = fields.iter().filter(|f| f.required && f.default.is_none());
        Value::Object(needed.map(|f| (f.key.clone(), "${input.any}".into())).collect())
    };
    let (mut on, mut list) = (Value::from("manual"), Vec::new());
    for (name, is_event) in names {
        let Some(decl) = cards.card(&name) else { continue };
        let card = json!({ "card": name.as_str(), "slot": slot.name.as_str(), "with": filled(&decl.inputs) });
        if is_event { on = card } else { list.push(card) }
    }
    json!({
        "flow": flow.as_str(),
        "slots": { slot.name.as_str(): declared },
        "on": on,
        "inputs": { "any": "any" },
        "cards": list,
    })
    .to_string()
}

fn uses(card: &Card, slot: &SlotName, names: &mut Vec<(CardName, bool)>) {
    if let CardKind::Call(call) = &card.kind
        && call.slot.as_ref() == Some(slot)
        && !names.iter().any(|(name, _)| *name == call.card)
    {
        names.push((call.card.clone(), false));
    }
    card.kind.lanes().into_iter().flatten().for_each(|inner| uses(inner, slot, names));
}

#[cfg(test)]
mod tests {
    use flowdeck::{Source, read};

    use super::*;

    fn slots(text: &str) -> IndexMap<SlotName, Slot> {
        read(&Source::new("a.yaml", &format!("flow: a\nslots: {text}\ncards: []\n")), None).flows.remove(0).slots
    }

    #[test]
    fn the_only_slot_is_taken_and_two_are_a_question() {
        let app = AppName::new("okta").unwrap();
        let named = SlotName::new("second").unwrap();
        let chosen = |text: &str, named: Option<&SlotName>| match slot_for(&slots(text), &app, named) {
            Ok(SlotChoice::There(name)) => format!("there {name}"),
            Ok(SlotChoice::New(slot)) => format!("new {}", slot.name),
            Ok(SlotChoice::Several(names)) => format!("{} of them", names.len()),
            Err(why) => why,
        };
        assert_eq!(chosen("{}", None), "new okta");
        assert_eq!(chosen("{ okta: playground }", None), "new okta_2");
        assert_eq!(chosen("{ a: okta, b: playground }", None), "there a");
        assert_eq!(chosen("{ a: okta, b: okta }", None), "2 of them");
        assert_eq!(chosen("{ a: okta }", Some(&named)), "new second");
        assert_eq!(chosen("{ second: okta }", Some(&named)), "there second");
        let wrong = chosen("{ second: slack }", Some(&named));
        assert_eq!(wrong, "the slot `second` is one of `slack`, and the card wants one of `okta`");
    }

    #[test]
    fn the_flow_of_a_slot_has_no_errors_whatever_the_cards_want() {
        let catalogue = crate::files::cards(None).unwrap();
        let name = FlowName::new("a").unwrap();
        for decl in catalogue.cards().iter().filter(|decl| decl.app.is_some()) {
            let app = decl.app.clone().unwrap();
            let slot = NewSlot { name: SlotName::new("it").unwrap(), app, nickname: None };
            let text = flow_of_slot(&name, None, decl, &slot, &catalogue);
            // An event's fields cannot refer to inputs; none of them needs one.
            let checked = read(&Source::new("a.json", &text), Some(&catalogue));
            assert!(!checked.has_errors(), "{}: {:?}\n{text}", decl.name, checked.diagnostics);
        }
    }
}
