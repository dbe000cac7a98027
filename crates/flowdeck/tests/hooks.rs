//! Deliveries: each event starts each flow once, whoever sends it again and whatever is killed meanwhile.
//!
//! Must never leave loopback, nor wait for real time.
//! Tests: this is the test.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use flowdeck::{Delivered, DeliveryRefusal, Hook};
use serde_json::{Value, json};

use crate::support::bell::{PUSHED, Place, RANG, name};

const DAY_MS: u64 = 24 * 3_600_000;

fn rings(ids: impl IntoIterator<Item = usize>) -> String {
    let rings: Vec<Value> = ids.into_iter().map(|id| json!({ "id": format!("e{id:05}"), "kind": "rang" })).collect();
    json!({ "rings": rings }).to_string()
}

/// A hook and the headers of who may send to it.
async fn hook(place: &Place) -> (Hook, BTreeMap<String, String>) {
    let made = place.runtime.add_hook(&"bell".parse().unwrap(), None, None).await.unwrap();
    let headers = [("authorization".to_owned(), made.secret.unwrap().expose().to_owned())].into();
    (place.runtime.hook("bell", &made.hook.id).await.unwrap().unwrap(), headers)
}

/// How many runs a delivery started, and how many were there.
async fn deliver(place: &Place, to: &(Hook, BTreeMap<String, String>), body: &str) -> (usize, usize) {
    match place.runtime.deliver(&to.0, to.1.clone(), body.as_bytes()).await {
        Ok(Delivered::Taken { runs, again }) => (runs.len(), again),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ten_thousand_events_of_one_delivery_are_one_commit() {
    let place = Place::new(PUSHED, &[RANG]).await;
    place.connect("s3cret").await;
    let hook = hook(&place).await;
    let before = place.store.commits.load(Ordering::SeqCst);
    assert_eq!(deliver(&place, &hook, &rings(0..10_000)).await, (10_000, 0));
    assert_eq!(place.store.commits.load(Ordering::SeqCst) - before, 1);
    // A part of it comes again, with more.
    assert_eq!(deliver(&place, &hook, &rings(9_990..10_001)).await, (1, 10));
}

#[tokio::test]
async fn what_was_taken_when_the_answer_was_lost_is_not_started_again() {
    let mut place = Place::new(PUSHED, &[RANG]).await;
    place.connect("s3cret").await;
    let mut hook = hook(&place).await;
    place.store.loses.store(true, Ordering::SeqCst);
    let lost = place.runtime.deliver(&hook.0, hook.1.clone(), rings(0..3).as_bytes()).await;
    assert!(matches!(lost, Err(DeliveryRefusal::Runtime(_))), "{lost:?}");
    place.restart().await;
    let id = place.runtime.hooks().await.unwrap()[0].id.clone();
    hook.0 = place.runtime.hook("bell", &id).await.unwrap().unwrap();
    assert_eq!(deliver(&place, &hook, &rings(0..3)).await, (0, 3));
    assert_eq!(place.told().await, ["e00000", "e00001", "e00002"]);
}

#[tokio::test]
async fn deliveries_that_come_at_once_and_within_one_start_each_event_once() {
    let place = Place::new(PUSHED, &[RANG, &RANG.replace("flow: rang", "flow: too")]).await;
    place.connect("s3cret").await;
    let hook = hook(&place).await;
    let body = rings([1, 2, 1, 3, 2]);
    let send = || deliver(&place, &hook, &body);
    let taken = futures_util::future::join_all((0..10).map(|_| send())).await;
    assert_eq!(taken.iter().map(|(started, _)| started).sum::<usize>(), 6, "{taken:?}");
    assert_eq!(place.told().await.len(), 6);
}

#[tokio::test]
async fn an_event_is_remembered_for_a_week_and_forgotten_then() {
    let place = Place::new(PUSHED, &[RANG]).await;
    let hook = hook(&place).await;
    assert_eq!(deliver(&place, &hook, &rings(0..3)).await, (3, 0));
    place.clock.advance(7 * DAY_MS - 1);
    assert_eq!(deliver(&place, &hook, &rings(0..3)).await, (0, 3));
    place.clock.advance(1);
    assert_eq!(deliver(&place, &hook, &rings(0..1)).await, (1, 0));
}

#[tokio::test]
async fn the_secret_before_is_taken_for_a_day_and_a_strangers_never() {
    let place = Place::new(PUSHED, &[RANG]).await;
    let old = hook(&place).await;
    let id = place.runtime.hooks().await.unwrap()[0].id.clone();
    let secret = place.runtime.renew_hook(&id, None).await.unwrap().unwrap().secret.unwrap();
    let send = async |secret: &str| {
        let hook = place.runtime.hook("bell", &id).await.unwrap().unwrap();
        let headers = [("authorization".to_owned(), secret.to_owned())].into();
        place.runtime.deliver(&hook, headers, b"{}").await.is_ok()
    };
    let before = old.1["authorization"].clone();
    assert!(send(secret.expose()).await && send(&before).await && !send("somebody").await && !send("").await);
    place.clock.advance(DAY_MS);
    assert!(send(secret.expose()).await && !send(&before).await);
    let wrong = place.runtime.renew_hook(&id, Some("short".into())).await.unwrap_err();
    assert!(wrong.to_string().contains("no secret of bell"), "{wrong}");
    let none = place.runtime.add_hook(&"github".parse().unwrap(), None, None).await.unwrap_err();
    assert!(none.to_string().contains("pushes no events"), "{none}");
}

#[tokio::test]
async fn a_hook_of_a_connection_starts_only_flows_that_use_it_or_none_yet() {
    let place = Place::new(PUSHED, &[RANG]).await;
    place.connect("s3cret").await;
    let app = "bell".parse().unwrap();
    let used = place.runtime.connections().connections(Some(&app)).await.unwrap()[0].id;
    let other = flowdeck::model::ConnectionId::new(flowdeck::model::Millis(1), 1);
    let mut taken = Vec::new();
    for connection in [used, other] {
        let made = place.runtime.add_hook(&app, Some(connection), None).await.unwrap();
        let headers = [("authorization".to_owned(), made.secret.unwrap().expose().to_owned())].into();
        let hook = place.runtime.hook("bell", &made.hook.id).await.unwrap().unwrap();
        taken.push(deliver(&place, &(hook, headers), &rings([7])).await);
    }
    assert_eq!(taken, [(1, 0), (0, 0)]);
}

#[tokio::test]
async fn a_flow_hears_what_its_options_ask_for_in_the_version_that_is_on() {
    let with = RANG.replace("slot: bell }", "slot: bell, with: { door: back } }");
    let place = Place::new(PUSHED, &[&with]).await;
    let hook = hook(&place).await;
    let at = |id: &str, door: &str| json!({ "id": id, "kind": "rang", "door": door }).to_string();
    assert_eq!(deliver(&place, &hook, &at("a", "front")).await, (0, 0));
    assert_eq!(deliver(&place, &hook, &at("b", "back")).await, (1, 0));
    place.publish(RANG).await;
    assert_eq!(deliver(&place, &hook, &at("c", "front")).await, (1, 0));
    place.switch(false).await;
    assert_eq!(deliver(&place, &hook, &at("d", "front")).await, (0, 0));
    assert!(place.runtime.served_flow(&name("rang")).await.unwrap().unwrap().arrives.is_some());
}
