//! Google's cards against an emulated account.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use serde_json::json;

use crate::emulate::emulator::Emulator;

const ADDRESSES: [(&str, &str); 3] = [("gmail.api", ""), ("googledrive.api", ""), ("googlecalendar.api", "")];

async fn google() -> Option<Emulator> {
    let seed = json!({
        "users": [{"email": "octocat", "name": "Octo"}],
        "calendars": [{"id": "primary", "user_email": "octocat", "summary": "mine", "primary": true, "selected": true, "time_zone": "UTC"}],
    });
    Emulator::start("google", seed, &ADDRESSES).await
}

#[tokio::test]
async fn mail_is_sent_with_files_and_in_other_letters() {
    let Some(google) = google().await else { return };
    let mail = json!({"To": ["ann@example.com"], "CC": ["bob@example.com"], "Subject": "Grüße", "Body": "Tschüß"});
    let sent = google.done("gmail/sendEmail", mail).await;
    let id = sent.get("Message ID").as_str().unwrap().to_owned();
    let path = format!("/gmail/v1/users/me/messages/{id}");
    let read = google.done("gmail/customApiAction", json!({"Relative URL": path})).await;
    let headers = read.get("Body")["payload"]["headers"].as_array().unwrap().clone();
    let header = |name: &str| headers.iter().find(|h| h["name"] == name).map(|h| h["value"].clone());
    assert_eq!(header("To"), Some(json!("ann@example.com")), "{headers:?}");
    let file = json!({"name": "a.csv", "type": "text/csv", "content": "YSxiCg=="});
    let mail = json!({"To": ["ann@example.com"], "Subject": "s", "Body": "b", "File Content": file});
    assert!(google.done("gmail/sendEmailWithAttachment", mail).await.get("Message ID").is_string());
}

#[tokio::test]
async fn files_go_up_are_found_and_come_down() {
    let Some(google) = google().await else { return };
    let file = json!({"name": "x", "type": "text/plain", "content": "SGVsbG8="});
    let up = google.done("googledrive/uploadFile", json!({"Name": "it's.txt", "File Content ID": file})).await;
    assert_eq!(up.get("File Name"), "it's.txt");
    let found = google.done("googledrive/searchFiles", json!({"Name": "it's.txt"})).await;
    assert_eq!(found.get("File ID"), up.get("File ID"));
    let down = google.done("googledrive/downloadFile", json!({"File ID": up.get("File ID")})).await;
    let file = down.get("File Content ID");
    assert_eq!((&file["name"], &file["content"], &file["size"]), (&json!("it's.txt"), &json!("SGVsbG8="), &json!(5)));
}

#[tokio::test]
async fn events_are_made_and_listed() {
    let Some(google) = google().await else { return };
    let event = json!({"Title": "Talk", "Start": "2026-01-10T09:00:00Z", "End": "2026-01-10T09:30:00Z"});
    let made = google.done("googlecalendar/createEvent", event).await;
    assert_eq!(made.get("Title"), "Talk");
    let listed = google.done("googlecalendar/listEvents", json!({})).await;
    assert!(listed.get("Events").as_array().unwrap().iter().any(|e| e["Event ID"] == *made.get("Event ID")));
    let gone = json!({"Event ID": made.get("Event ID")});
    google.done("googlecalendar/deleteEvent", gone.clone()).await;
    google.done("googlecalendar/deleteEvent", gone).await;
}
