//! Slack's cards against an emulated workspace.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use flowdeck_engine::ports::CardOutcome;
use serde_json::json;

use crate::emulate::emulator::Emulator;

#[tokio::test]
async fn messages_reach_channels_and_people() {
    let seed = json!({
        "users": [{"name": "developer", "real_name": "Dev Eloper", "email": "dev@example.com"}],
        "channels": [{"name": "general"}],
    });
    let Some(slack) = Emulator::start("slack", seed, &[("slack.api", "/api")]).await else { return };
    let person = slack.done("slack/readUser", json!({"Email": "dev@example.com"})).await;
    assert_eq!((person.get("Username"), person.get("Full Name")), (&json!("developer"), &json!("Dev Eloper")));
    let same = slack.done("slack/readUser", json!({"Username": "developer"})).await;
    assert_eq!(same.get("User ID"), person.get("User ID"));
    let channels = slack.done("slack/listChannels", json!({})).await;
    let all = channels.get("Channels").as_array().unwrap();
    let general = all.iter().find(|c| c["Name"] == "general").unwrap();
    let sent = json!({"channelId": general["Channel ID"], "Text": "Hello", "Icon Emoji": "bell", "Name": "Bot"});
    let sent = slack.done("slack/sendMessageToChannel", sent).await;
    assert!(sent.get("Timestamp").as_str().is_some_and(|t| t.contains('.')), "{sent:?}");
    let direct = json!({"User ID": person.get("User ID"), "Text": "Hello"});
    assert!(slack.done("slack/sendDirectMessage", direct).await.get("Timestamp").is_string());
    // Slack answers 200 with `ok: false`.
    let lost = slack.call("slack/sendMessageToChannel", json!({"channel": "C404", "Text": "Hello"}), None).await;
    assert!(
        matches!(&lost, CardOutcome::Failed { fault, .. } if fault.message.contains("channel_not_found")),
        "{lost:?}"
    );
}
