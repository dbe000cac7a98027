//! What a palette offers: functions, actions, events and control cards as one list.
//!
//! Must never differ from what `check` knows.
//! Tests: below.

use std::sync::Arc;

use flowdeck::Cards;
use flowdeck::model::app::AppDirectory as _;
use flowdeck::model::{AppName, CardDecl, CardRole, Catalogue as _, FieldDecl, FieldType, Flow, SlotName, Value};
use indexmap::IndexMap;
use serde_json::Map;

use super::control::{CONTROLS, Control};

/// What a card is.
#[derive(Debug, Clone)]
pub(crate) enum Is {
    /// A card of the catalogue.
    Call(Arc<CardDecl>),
    /// A control card.
    Control(&'static Control),
}

/// A card that can be added.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// `family/name`, or the word of a control card.
    pub(crate) name: String,
    /// The name on screens.
    pub(crate) title: String,
    /// Its app's name on screens, or what it is else.
    pub(crate) family: String,
    /// One line.
    pub(crate) about: String,
    /// What it is.
    pub(crate) is: Is,
}

/// All cards that can stand in a list of cards.
pub(crate) fn cards(cards: &Cards) -> Vec<Entry> {
    let controls = CONTROLS.iter().map(|control| Entry {
        name: control.word.into(),
        title: control.title.into(),
        family: "control".into(),
        about: control.about.into(),
        is: Is::Control(control),
    });
    controls.chain(of_catalogue(cards, |decl| decl.role != CardRole::Event)).collect()
}

/// All event cards.
pub(crate) fn events(cards: &Cards) -> Vec<Entry> {
    of_catalogue(cards, |decl| decl.role == CardRole::Event)
}

fn of_catalogue(cards: &Cards, fits: impl Fn(&CardDecl) -> bool) -> Vec<Entry> {
    let titled = |app: &AppName| cards.apps().auth(app).map(|auth| auth.title.clone());
    let entry = |decl: Arc<CardDecl>| Entry {
        name: decl.name.to_string(),
        title: decl.title.clone(),
        family: match (&decl.app, decl.role) {
            (Some(app), _) => titled(app).unwrap_or_else(|| app.to_string()),
            (None, CardRole::Function) => "function".into(),
            (None, _) => decl.name.family().to_owned(),
        },
        about: decl.summary.clone(),
        is: Is::Call(decl),
    };
    cards.cards().into_iter().filter(|decl| fits(decl)).map(entry).collect()
}

impl Entry {
    /// Its fields in order; those of a helper where it calls one.
    pub(crate) fn fields(&self, flow: &Flow, values: &IndexMap<String, Value>) -> Vec<FieldDecl> {
        match &self.is {
            Is::Call(decl) => decl.inputs.clone(),
            Is::Control(control) => {
                let mut fields = control.fields();
                if let Some(first) = fields.first_mut().filter(|f| f.key.starts_with("call_flow")) {
                    first.choices = flow.helpers.keys().map(ToString::to_string).collect();
                    let helper = values.get(&first.key).and_then(Value::as_str);
                    let helper = helper.and_then(|name| flow.helpers.values().find(|h| h.name.as_str() == name));
                    fields.extend(helper.map(|h| h.inputs.clone()).unwrap_or_default());
                }
                fields
            }
        }
    }

    /// The type of fields under names of one's own.
    pub(crate) fn more(&self) -> Option<FieldType> {
        match &self.is {
            Is::Call(decl) => decl.more_inputs.clone(),
            Is::Control(control) => control.more(),
        }
    }

    /// The app whose connection it wants.
    pub(crate) fn app(&self) -> Option<&AppName> {
        match &self.is {
            Is::Call(decl) => decl.app.as_ref(),
            Is::Control(_) => None,
        }
    }

    /// What it is in a file.
    pub(crate) fn body(&self, slot: Option<&SlotName>, values: &IndexMap<String, Value>) -> Map<String, Value> {
        match &self.is {
            Is::Control(control) => control.body(values),
            Is::Call(decl) => {
                let mut out = Map::new();
                out.insert("card".into(), decl.name.as_str().into());
                if let Some(slot) = slot {
                    out.insert("slot".into(), slot.as_str().into());
                }
                let rank = |key: &String| decl.inputs.iter().position(|f| f.key == *key).unwrap_or(usize::MAX);
                let mut with: Vec<_> = values.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                with.sort_by_key(|(key, _)| rank(key));
                if !with.is_empty() {
                    out.insert("with".into(), Value::Object(with.into_iter().collect()));
                }
                out
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_written_in_the_cards_order() {
        let cards = crate::files::cards(None).unwrap();
        let all = super::cards(&cards);
        let entry = all.iter().find(|e| e.name == "playground/createGroup").unwrap();
        assert_eq!((entry.family.as_str(), entry.app().map(AppName::as_str)), ("Playground", Some("playground")));
        let values = [("description", "d"), ("name", "n")].map(|(k, v)| (k.to_owned(), json!(v)));
        let body = entry.body(Some(&SlotName::new("dir").unwrap()), &values.into_iter().collect());
        let wanted = r#"{"card":"playground/createGroup","slot":"dir","with":{"name":"n","description":"d"}}"#;
        assert_eq!(Value::Object(body).to_string(), wanted);
    }

    #[test]
    fn events_are_no_cards_of_a_list() {
        let cards = crate::files::cards(None).unwrap();
        assert!(super::cards(&cards).iter().all(|e| e.name != "okta/userCreated"));
        assert!(super::events(&cards).iter().any(|e| e.name == "okta/userCreated"));
    }
}
