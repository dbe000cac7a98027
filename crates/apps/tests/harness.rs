//! The card specification: what every built-in app file must have.
//!
//! Must never be loosened for one app.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use flowdeck_apps::Apps;
use flowdeck_model::app::AppDirectory;
use flowdeck_model::{CardRole, EffectClass};
use indexmap::IndexMap;

fn apps() -> Apps {
    let variables = IndexMap::from([("playground_url".to_owned(), "http://127.0.0.1:4999".to_owned())]);
    Apps::built_in(&variables).unwrap()
}

#[test]
fn every_file_and_every_mapping_can_be_read() {
    apps().check().unwrap();
    assert_eq!(apps().apps().count(), apps().names().count());
}

#[test]
fn every_card_says_what_it_is() {
    for card in apps().cards() {
        assert!(!card.title.is_empty(), "{}: title", card.name);
        assert!(card.summary.ends_with('.'), "{}: summary", card.name);
        for field in &card.inputs {
            assert!(!field.help.is_empty(), "{}: help of {}", card.name, field.key);
        }
        if card.role == CardRole::Action && card.pages.is_some() {
            assert_eq!(card.effect, EffectClass::Observe, "{}: only reads have pages", card.name);
        }
    }
}

#[test]
fn needed_scopes_are_declared() {
    let apps = apps();
    for card in apps.cards() {
        let Some(app) = &card.app else { continue };
        let auth = apps.auth(app).unwrap();
        for scope in &card.scopes {
            assert!(auth.scopes.contains_key(scope), "{}: scope {scope} is not declared", card.name);
        }
    }
    for auth in apps.auths() {
        assert!(auth.default_scopes.iter().all(|s| auth.scopes.contains_key(s)), "{}", auth.app);
        let says_why = apps.app(auth.app.as_str()).unwrap().file.unconfirmed.iter().any(|u| u.contains("probe"));
        assert!(auth.probe.is_some() || says_why, "{}: no probe, and nothing says why", auth.app);
        assert!(!auth.help.is_empty(), "{}: help", auth.app);
        assert!(!auth.hosts.is_empty(), "{}: hosts", auth.app);
    }
}

#[test]
fn every_app_that_signs_in_has_a_raw_request() {
    for app in apps().apps().filter(|app| app.auth.is_some()) {
        let raw = app.file.actions.values().any(|a| a.request.as_ref().is_some_and(|r| r.method.starts_with("${")));
        assert!(raw, "{}", app.file.app);
    }
}

#[test]
fn secrets_of_forms_are_marked() {
    for auth in apps().auths() {
        for field in auth.methods.iter().flat_map(|m| &m.fields) {
            let looks = ["secret", "token", "password"].iter().any(|w| field.key.contains(w));
            assert_eq!(looks, field.secret, "{}: {}", auth.app, field.key);
        }
    }
}
