//! Microsoft's cards against an emulated directory; emulate 0.11.2 has users only.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use serde_json::json;

use crate::emulate::emulator::Emulator;

#[tokio::test]
async fn users_are_read() {
    let seed = json!({"users": [{"email": "octocat", "name": "Octo Cat"}]});
    let Some(microsoft) = Emulator::start("microsoft", seed, &[("office365admin.api", "")]).await else { return };
    let me = microsoft.done("office365admin/customAPIAction", json!({"Relative URL": "/me"})).await;
    let id = me.get("Body")["id"].clone();
    assert!(id.is_string(), "{me:?}");
    let read = microsoft.done("office365admin/readUser", json!({"ID or Email": id})).await;
    assert_eq!((read.get("id"), read.get("displayName")), (&id, &json!("Octo Cat")));
}
