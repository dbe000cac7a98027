//! Tells hooks what happened: signed as Standard Webhooks, tried a few times, to this machine only.
//!
//! Must never hold up the directory: a full queue drops, and the event log still has the event.
//! Tests: below, and `tests/walk/`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::app::App;
use crate::directory::{Directory, LastDelivery, loopback_url};
use crate::{limits, loopback};

/// One event on its way to one hook. No `Debug`: it holds the key.
pub(crate) struct Delivery {
    hook: String,
    url: String,
    key: Vec<u8>,
    event: String,
    body: Bytes,
}

impl Delivery {
    /// What hooks must be told of the events from number `first` on.
    pub(crate) fn of(directory: &Directory, first: u64) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for event in directory.events_from(first) {
            for hook in directory.hooks().iter().filter(|hook| hook.events.contains(&event.event_type)) {
                let body = serde_json::to_vec(event).unwrap_or_default().into();
                let (hook_id, url, key) = (hook.id.clone(), hook.url.clone(), hook.key());
                deliveries.push(Delivery { hook: hook_id, url, key, event: event.id.clone(), body });
            }
        }
        deliveries
    }
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
fn signature(key: &[u8], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Runs until the app is gone; dropping the task ends the deliveries under way.
pub(crate) async fn deliver_all(app: App, mut queue: mpsc::Receiver<Delivery>) {
    let places = Arc::new(Semaphore::new(limits::DELIVERIES_AT_ONCE_MAX));
    let mut under_way = JoinSet::new();
    while let Some(delivery) = queue.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while under_way.try_join_next().is_some() {}
        let app = app.clone();
        under_way.spawn(async move {
            deliver(&app, delivery).await;
            drop(place);
        });
    }
}

async fn deliver(app: &App, delivery: Delivery) {
    let Some(url) = loopback_url(&delivery.url) else { return };
    let mut outcome = (None, 0);
    for (attempt, pause_ms) in (1..).zip(limits::DELIVERY_PAUSES_MS) {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let timestamp_s = app.now_ms() / 1000;
        let signature = signature(&delivery.key, &delivery.event, timestamp_s, &delivery.body);
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", &delivery.event),
            ("webhook-timestamp", &timestamp_s.to_string()),
            ("webhook-signature", &signature),
        ];
        let answer = loopback::send("POST", &url, &headers, delivery.body.clone()).await;
        outcome = (answer.as_ref().ok().map(|(status, _)| status.as_u16()), attempt);
        match answer {
            Ok((status, _)) if status.is_success() => break,
            Ok((status, _)) => tracing::debug!(hook = delivery.hook, %status, attempt, "the hook was not accepted"),
            Err(error) => tracing::debug!(hook = delivery.hook, %error, attempt, "the hook was not delivered"),
        }
    }
    let at = crate::directory::timestamp(app.now_ms());
    let last = LastDelivery { event: delivery.event, status: outcome.0, attempts: outcome.1, at };
    if let Err(error) = app.keeper.change(|state| state.directory.note_delivery(&delivery.hook, last)).await {
        tracing::warn!(%error, "the outcome of a delivery was not kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks_example() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
