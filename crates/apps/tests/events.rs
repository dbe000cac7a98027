//! Deliveries become the declared outputs of event cards, however they come.
//!
//! Must never need a network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use flowdeck_apps::{Apps, Delivery};
use flowdeck_model::{CardDecl, CardName, CardRole, Fields, Value};
use indexmap::IndexMap;
use serde_json::json;

fn apps() -> Apps {
    Apps::built_in(&IndexMap::from([("playground_url".to_owned(), "http://127.0.0.1:1".to_owned())])).unwrap()
}

fn delivery(apps: &Apps, card: &str, inputs: Value, body: &Value) -> Delivery {
    let headers = BTreeMap::from([("x-hook".to_owned(), "7".to_owned())]);
    apps.delivery(&CardName::new(card).unwrap(), Fields::from_value(inputs), body, &headers).unwrap()
}

/// An event as the System Log has it.
fn entry(kind: &str) -> Value {
    json!({
        "uuid": format!("uuid-of-{kind}"), "eventType": kind, "version": "0", "severity": "INFO",
        "published": "2026-02-03T04:05:06.000Z", "displayMessage": "It happened",
        "actor": {"id": "00uadmin", "type": "User", "alternateId": "ada@acme.test", "displayName": "Ada Admin"},
        "outcome": {"result": "SUCCESS", "reason": null},
        "client": {"ipAddress": "192.0.2.7"}, "transaction": {"id": "t1"}, "authenticationContext": {"externalSessionId": "s"},
        "securityContext": {"isProxy": false}, "debugContext": {"debugData": {"changedAttributes": "title", "requestUri": "/x"}},
        "target": [
            {"id": "00ufay", "type": "User", "alternateId": "fay@acme.test", "displayName": "Fay Fresh"},
            {"id": "00gnew", "type": "UserGroup", "alternateId": "unknown", "displayName": "Newcomers"},
            {"id": "0oapay", "type": "AppInstance", "alternateId": "Payroll", "displayName": "payroll", "detailEntry": {"signOnModeType": "SAML"}},
            {"id": "0uapay", "type": "AppUser", "alternateId": "fay", "displayName": "Fay"},
        ],
    })
}

fn hook(events: &[Value]) -> Value {
    json!({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1", "eventId": "delivery-1",
        "eventTime": "2026-02-03T04:05:07.000Z", "source": "https://acme.okta.com/api/v1/eventHooks/who1",
        "data": {"events": events},
    })
}

fn okta_events(apps: &Apps) -> Vec<std::sync::Arc<CardDecl>> {
    let okta = apps.app("okta").unwrap();
    okta.cards.iter().filter(|card| card.role == CardRole::Event).cloned().collect()
}

/// The type that an event card of Okta waits for, out of its app file.
fn kind_of(apps: &Apps, card: &CardDecl) -> String {
    let event = &apps.app("okta").unwrap().file.events[card.name.operation()];
    let when = event.when.as_ref().unwrap().as_str().unwrap();
    when.split('\'').nth(1).unwrap().to_owned()
}

#[test]
fn an_event_hook_fills_every_declared_output() {
    let apps = apps();
    let body =
        hook(&[entry("group.user_membership.add"), entry("user.lifecycle.create"), entry("user.lifecycle.create")]);
    let created = delivery(&apps, "okta/userCreated", json!({}), &body);
    assert_eq!((created.events.len(), created.others), (2, 1));
    let event = &created.events[0];
    assert_eq!(event.key, "uuid-of-user.lifecycle.create");
    let person = |id: &str, login: &str, name: &str| json!({"ID": id, "Alternate ID": login, "Display Name": name, "Type": "User"});
    for (key, expected) in [
        ("ID", json!("00ufay")),
        ("Login", json!("fay@acme.test")),
        ("Display Name", json!("Fay Fresh")),
        ("Date and Time", json!("2026-02-03T04:05:06.000Z")),
        ("Message", json!("It happened")),
        ("Event ID", json!("delivery-1")),
        ("Event Type", json!("user.lifecycle.create")),
        ("Event Time", json!("2026-02-03T04:05:07.000Z")),
        ("Version", json!("0")),
        ("Severity", json!("INFO")),
        ("Result", json!("SUCCESS")),
        ("Reason", Value::Null),
        ("Admin", person("00uadmin", "ada@acme.test", "Ada Admin")),
        ("Actor", person("00uadmin", "ada@acme.test", "Ada Admin")),
        ("Okta User", person("00ufay", "fay@acme.test", "Fay Fresh")),
        ("UUID", json!("uuid-of-user.lifecycle.create")),
        ("Event Details", entry("user.lifecycle.create")),
        ("Full Details", body.clone()),
        ("Headers", json!({"x-hook": "7"})),
        ("Source", json!("https://acme.okta.com/api/v1/eventHooks/who1")),
        ("Debug Context", json!({"Debug Data": {"changedAttributes": "title", "requestUri": "/x"}})),
        ("Client", json!({"ipAddress": "192.0.2.7"})),
    ] {
        assert_eq!(event.fields.get(key), &expected, "{key}");
    }
}

#[test]
fn an_event_of_the_system_log_is_the_same_event_alone_or_in_a_list() {
    let apps = apps();
    let one = entry("user.lifecycle.create");
    let alone = delivery(&apps, "okta/userCreated", json!({}), &one);
    let listed = delivery(&apps, "okta/userCreated", json!({}), &json!([entry("user.session.start"), one]));
    assert_eq!((alone.events.len(), alone.others, listed.events.len(), listed.others), (1, 0, 1, 1));
    let (alone, listed) = (&alone.events[0].fields, &listed.events[0].fields);
    assert_eq!((alone.get("ID"), alone.get("Event ID")), (&json!("00ufay"), &json!("uuid-of-user.lifecycle.create")));
    assert_eq!(alone.get("Event Time"), &json!("2026-02-03T04:05:06.000Z"), "nothing tells of a delivery");
    assert_eq!((alone.get("Source"), alone.get("Full Details")), (&Value::Null, &one));
    assert_eq!(alone.get("Okta User"), listed.get("Okta User"));
}

#[test]
fn every_event_card_of_okta_takes_its_own_kind_and_gives_what_it_declares() {
    let apps = apps();
    let cards = okta_events(&apps);
    assert!(cards.len() >= 204);
    let next = cards.iter().cycle().skip(1);
    for (card, next) in cards.iter().zip(next) {
        let (kind, other) = (kind_of(&apps, card), kind_of(&apps, next));
        let found = delivery(&apps, card.name.as_str(), json!({}), &hook(&[entry(&other), entry(&kind)]));
        let both = usize::from(kind == other);
        assert_eq!((found.events.len(), found.others), (1 + both, 1 - both), "{}", card.name);
        let event = &found.events[0];
        assert_eq!(event.fields.get("Event Type"), &json!(kind), "{}", card.name);
        for output in &card.outputs {
            assert!(event.fields.has(&output.key), "{}: {}", card.name, output.key);
        }
    }
}

#[test]
fn events_of_groups_and_applications_name_them() {
    let apps = apps();
    let added = delivery(&apps, "okta/userAddedToGroupMembership", json!({}), &entry("group.user_membership.add"));
    let fields = &added.events[0].fields;
    assert_eq!(fields.get("Group")["ID"], "00gnew");
    assert_eq!(fields.get("Okta User")["ID"], "00ufay");

    let body = hook(&[entry("application.user_membership.add")]);
    let card = "okta/userAddedToApplicationMembership";
    let fields = delivery(&apps, card, json!({}), &body).events[0].fields.clone();
    assert_eq!(fields.get("Application")["Detail"], json!({"signOnModeType": "SAML"}));
    assert_eq!(fields.get("Application User")["ID"], "0uapay");
    let found = |inputs: Value| delivery(&apps, card, inputs, &body).events.len();
    assert_eq!(found(json!({"useId": "Yes", "appId": "0oapay"})), 1);
    assert_eq!(found(json!({"useId": "Yes", "appId": "0oaother"})), 0);
    assert_eq!(found(json!({"useId": "No", "instance": "0oaother", "appId": "0oapay"})), 0);
    assert_eq!(found(json!({"useId": "Yes", "appId": ""})), 1, "empty is any");
}

#[test]
fn what_is_no_delivery_holds_no_event() {
    let apps = apps();
    let nothing =
        [json!(null), json!([]), json!({}), json!("text"), json!([1, "x", null]), json!({"data": {"events": []}})];
    for body in nothing {
        assert!(delivery(&apps, "okta/userCreated", json!({}), &body).events.is_empty(), "{body}");
    }
    // An entry that lacks everything but its type is still an event.
    let bare = json!({"eventType": "user.lifecycle.create"});
    let bare = delivery(&apps, "okta/userCreated", json!({}), &bare);
    assert_eq!((bare.events[0].key.as_str(), bare.events[0].fields.get("Okta User")), ("", &Value::Null));
}

#[test]
fn events_of_other_apps_come_by_their_own_rules() {
    let apps = apps();
    let joined = json!({"events": [{"id": "e1", "type": "person.joined", "timestamp": "2026-01-01T00:00:00Z", "data": {"person": {"id": "p1"}}}]});
    let found = delivery(&apps, "playground/personJoined", json!({}), &joined);
    assert_eq!((found.events[0].key.as_str(), found.events[0].fields.get("person")), ("e1", &json!({"id": "p1"})));
    assert_eq!(delivery(&apps, "playground/personLeft", json!({}), &joined).others, 1);
    // A hook tells of one event; the log of none says nothing.
    assert_eq!(delivery(&apps, "playground/personJoined", json!({}), &joined["events"][0]), found);
    let none = json!({"events": [], "next": "evt_00000001", "more": false});
    assert_eq!(delivery(&apps, "playground/personJoined", json!({}), &none), flowdeck_apps::Delivery::default());

    let issue = json!({"issues": [{"id": "10", "key": "OPS-1", "fields": {"updated": "2026-01-01", "summary": "Down", "customfield_1": 5}}]});
    let found = delivery(&apps, "jira/issueUpdated", json!({}), &issue);
    assert_eq!(
        (found.events[0].key.as_str(), found.events[0].fields.get("customfield_1")),
        ("10:2026-01-01", &json!(5))
    );
    let none = apps.delivery(&CardName::new("okta/readUser").unwrap(), Fields::new(), &joined, &BTreeMap::new());
    assert!(none.unwrap_err().message.contains("no event card"));
}

#[test]
fn a_delivery_that_holds_too_much_is_refused_whole() {
    let apps = apps();
    let card = CardName::new("playground/personJoined").unwrap();
    let take = |body: Value| apps.delivery(&card, Fields::new(), &body, &BTreeMap::new());
    assert_eq!(take(json!({"events": vec![json!({}); 10_000]})).unwrap().others, 10_000);
    let refused = take(json!({"events": vec![json!({}); 10_001]})).unwrap_err();
    assert!(refused.message.contains("10001 entries"), "{refused}");
    // Each event of Okta holds the whole delivery: many of them would be very many bytes.
    let padding = "x".repeat(1 << 20);
    let event = json!({"eventType": "user.lifecycle.create", "uuid": "u", "debugContext": {"debugData": padding}});
    let card = CardName::new("okta/userCreated").unwrap();
    let refused = apps.delivery(&card, Fields::new(), &json!({"data": {"events": vec![event; 8]}}), &BTreeMap::new());
    assert!(refused.unwrap_err().message.contains("64 MiB"));
}
