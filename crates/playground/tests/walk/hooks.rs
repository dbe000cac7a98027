//! Event hooks: signed, tried again, to loopback only.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowdeck_playground::Account;
use hmac::{Hmac, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::support::*;

/// A receiver that answers with these statuses in turn and hands on what came.
async fn receiver(statuses: &'static [u16]) -> (String, mpsc::Receiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (told, came) = mpsc::channel(16);
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
            while !complete(&bytes) {
                let n = stream.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..n]);
            }
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            told.send(String::from_utf8(bytes).unwrap()).await.unwrap();
        }
    });
    (url, came)
}

fn complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = header(head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    body.len() >= length
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[tokio::test]
async fn a_hook_is_told_once_more_after_a_failure_and_can_check_the_signature() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let (url, mut came) = receiver(&[500, 204]).await;
    let hook = json!({"url": url, "events": ["person.suspended"]});
    let (status, made) = answer(walk.api(Method::POST, "/api/hooks", &token, Some(hook)).await).await;
    assert_eq!(status, 201, "{made}");
    let key = STANDARD.decode(made["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap()).unwrap();
    assert_eq!(walk.api(Method::POST, "/api/people/per_0004/suspend", &token, None).await.status(), 200);
    let (first, second) = (came.recv().await.unwrap(), came.recv().await.unwrap());
    let (head, body) = second.split_once("\r\n\r\n").unwrap();
    let (id, at) = (header(head, "webhook-id").unwrap(), header(head, "webhook-timestamp").unwrap());
    assert_eq!(header(&first, "webhook-id"), Some(id), "the same event");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header(head, "webhook-signature"), Some(expected.as_str()));
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&event["type"], &event["data"]["person"]["id"]), (&json!("person.suspended"), &json!("per_0004")));
    let (_, hooks) = answer(walk.api(Method::GET, "/api/hooks", &token, None).await).await;
    assert!(hooks["hooks"][0].get("secret").is_none(), "the secret is shown once");
}

#[tokio::test]
async fn hooks_stay_on_this_machine_and_can_be_removed() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    for url in ["http://example.com/x", "http://10.0.0.1/x", "file:///etc/passwd", "http://127.0.0.1.evil.example/"] {
        let hook = json!({"url": url, "events": ["person.joined"]});
        assert_eq!(walk.api(Method::POST, "/api/hooks", &token, Some(hook)).await.status(), 400, "{url}");
    }
    let hook = json!({"url": "http://127.0.0.1:1/x", "events": ["person.joined"]});
    let (_, made) = answer(walk.api(Method::POST, "/api/hooks", &token, Some(hook)).await).await;
    let path = format!("/api/hooks/{}", made["id"].as_str().unwrap());
    assert_eq!(walk.api(Method::DELETE, &path, &token, None).await.status(), 204);
    assert_eq!(answer(walk.api(Method::GET, "/api/hooks", &token, None).await).await.1["hooks"], json!([]));
    let (sam, _) = walk.tokens(Account::Sam).await;
    let hook = json!({"url": "http://127.0.0.1:1/x", "events": ["person.joined"]});
    assert_eq!(walk.api(Method::POST, "/api/hooks", &sam, Some(hook)).await.status(), 403, "staff may look only");
}
