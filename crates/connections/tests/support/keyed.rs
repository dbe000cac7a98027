//! An app whose accounts are told apart by their key, for tests about slots and prompts.
//!
//! Must never leave loopback.
//! Shared by the test files beside this folder.

use flowdeck_connections::Surface;
use flowdeck_model::app::AuthKind;
use flowdeck_model::connect::{ConnectionView, Need};
use serde_json::json;

use super::provider::{Provider, Reply, Seen, account};
use super::{Bench, app, done, field, need};

/// An app `k` whose accounts are told apart by their key.
pub(crate) async fn keyed() -> (Provider, Bench) {
    let provider = Provider::start().await;
    provider.script(|seen: &Seen| -> Reply { account(seen.header("x-key")) });
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("k", &provider.base, kind, vec![field("key", true)]));
    (provider, bench)
}

pub(crate) async fn connect(bench: &Bench, nickname: &str) -> ConnectionView {
    done(bench.begin("k", nickname, Surface::Direct, &[("key", nickname)]).await)
}

pub(crate) fn slot(slot: &str) -> Need {
    need("k", "flow", slot, &[])
}
