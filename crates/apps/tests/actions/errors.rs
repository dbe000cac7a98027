//! Every kind of answer and what it means, for a read and for a write.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use flowdeck_engine::ports::{CardOutcome, Loss};
use serde_json::{Value, json};

use crate::actions::support::*;

/// An outcome in short: what happens to the run.
fn short(outcome: &CardOutcome) -> String {
    match outcome {
        CardOutcome::Done { .. } => "done".into(),
        CardOutcome::Failed { fault, retry_after_ms, transient } => {
            let code = serde_json::to_value(fault.code).unwrap();
            let pause = retry_after_ms.map_or(String::new(), |ms| format!(" after {ms}"));
            format!("{} {}{pause}", if *transient { "passes" } else { "fails" }, code.as_str().unwrap())
        }
        CardOutcome::Refused(Loss::Unauthorized { .. }) => "refused".into(),
        CardOutcome::Refused(Loss::Scope { scopes, .. }) => format!("scope {}", scopes.join(" ")),
        CardOutcome::Unknown(_) => "in doubt".into(),
        other => format!("{other:?}"),
    }
}

async fn check(name: &str, answer: Vec<u8>, read: &str, write: &str) {
    let server = Server::start(move |_| answer.clone()).await;
    let outcome = call(&server.url, "okta/readUser", json!({"ID or Login": "u1"}), None).await;
    assert_eq!(short(&outcome), read, "{name}, read: {outcome:?}");
    assert_eq!(server.count(), 1, "{name}: a read was repeated");
    let outcome = call(&server.url, "okta/suspendUser", json!({"id": "u1"}), None).await;
    assert_eq!(short(&outcome), write, "{name}, write: {outcome:?}");
    assert_eq!(server.count(), 2, "{name}: a write was repeated");
    // Whatever came, no more of it is kept than a person needs.
    assert!(format!("{outcome:?}").len() < 16 * 1024, "{name}: too much is kept");
}

fn okta(code: &str, text: &str) -> Value {
    json!({"errorCode": code, "errorSummary": text, "errorLink": code, "errorId": "oae1", "errorCauses": []})
}

#[tokio::test]
async fn every_status_means_one_thing() {
    let rows: Vec<(u16, &str, Value, &str, &str)> = vec![
        (400, "", okta("E0000001", "Api validation failed: login"), "fails app-error", "fails app-error"),
        (401, "", okta("E0000011", "Invalid token provided"), "refused", "refused"),
        (401, "", json!({}), "refused", "refused"),
        (403, "", okta("E0000006", "You do not have permission"), "fails forbidden", "fails forbidden"),
        (403, "", okta("E0000214", "scope"), "scope okta.users.read", "scope okta.users.manage"),
        (
            403,
            "WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a.b c\"\r\n",
            json!({}),
            "scope a.b c",
            "scope a.b c",
        ),
        (404, "", okta("E0000007", "Not found: u1"), "fails not-found", "fails not-found"),
        (405, "", json!({}), "fails app-error", "fails app-error"),
        (408, "", json!({}), "passes app-error", "in doubt"),
        (409, "", json!({}), "fails app-error", "fails app-error"),
        (425, "", json!({}), "passes app-error", "fails app-error"),
        (
            429,
            "Retry-After: 3\r\n",
            okta("E0000047", "too many"),
            "passes rate-limited after 3000",
            "passes rate-limited after 3000",
        ),
        (
            429,
            "Retry-After: Mon, 21 Sep 2026 14:13:30 GMT\r\n",
            json!({}),
            "passes rate-limited after 10000",
            "passes rate-limited after 10000",
        ),
        (
            429,
            "X-Rate-Limit-Reset: 1790000007\r\n",
            json!({}),
            "passes rate-limited after 7000",
            "passes rate-limited after 7000",
        ),
        (429, "", json!({}), "passes rate-limited", "passes rate-limited"),
        (500, "", okta("E0000009", "Internal Server Error"), "passes app-error", "fails app-error"),
        (501, "", json!({}), "fails app-error", "fails app-error"),
        (502, "", json!({}), "passes app-error", "in doubt"),
        (503, "Retry-After: 1\r\n", json!({}), "passes app-error after 1000", "in doubt"),
        (504, "", json!({}), "passes app-error", "in doubt"),
        (599, "", json!({}), "fails app-error", "fails app-error"),
    ];
    for (status, extra, body, read, write) in rows {
        check(&format!("{status} {extra}{body}"), reply(status, extra, &body), read, write).await;
    }
}

#[tokio::test]
async fn answers_that_are_no_data_are_not_taken_for_the_app() {
    let page = b"<!doctype html><title>Sign in to the Wi-Fi</title>".as_slice();
    let html = "Content-Type: text/html\r\n";
    check("captive portal", raw_reply(200, html, page), "passes bad-answer", "in doubt").await;
    check("gateway page", raw_reply(502, html, page), "passes app-error", "in doubt").await;
    check("firewall page", raw_reply(403, html, page), "fails forbidden", "fails forbidden").await;
    check("cut JSON", raw_reply(200, "", b"{\"id\": \"u1\""), "passes bad-answer", "in doubt").await;
    check("not UTF-8", raw_reply(200, "", b"\xff\xfe\x00"), "passes bad-answer", "in doubt").await;
    check("empty", raw_reply(204, "", b""), "done", "done").await;
    check("JSON of another shape", raw_reply(200, "", b"[1, 2]"), "done", "done").await;
    let big = format!("{{\"errorSummary\": \"{}\"}}", "x".repeat(3 << 20));
    check("huge error", raw_reply(400, "", big.as_bytes()), "fails app-error", "fails app-error").await;
    let crowd = format!("[{}1]", "1,".repeat(2_000_001));
    check("more values than memory", raw_reply(200, "", crowd.as_bytes()), "fails bad-answer", "in doubt").await;
    let text = format!("[\"{}\"]", "\\\"[,".repeat(1_000_001));
    check("a text that looks like many", raw_reply(200, "", text.as_bytes()), "done", "done").await;
    check("no answer", Vec::new(), "passes unreachable", "in doubt").await;
    check("cut answer", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{".to_vec(), "passes unreachable", "in doubt")
        .await;
    check("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "passes bad-answer", "in doubt").await;
}

#[tokio::test]
async fn what_never_left_is_not_in_doubt() {
    // A port that nothing listens on: the connection is refused before a byte of the request.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let outcome = call(&closed, "okta/suspendUser", json!({"id": "u1"}), None).await;
    assert_eq!(short(&outcome), "passes unreachable", "{outcome:?}");
}

#[tokio::test]
async fn an_error_speaks_with_the_words_of_the_app_and_names_the_role() {
    let cause = json!({"errorCode": "E0000001", "errorSummary": "Api validation failed: login", "errorCauses": [{"errorSummary": "login: An object with this field already exists"}]});
    let server = Server::start(move |head| {
        let role = okta("E0000006", "You do not have permission to perform the requested action");
        if head.starts_with("POST /api/v1/users/") { reply(403, "", &role) } else { reply(400, "", &cause) }
    })
    .await;
    let CardOutcome::Failed { fault, .. } = call(&server.url, "okta/suspendUser", json!({"id": "u1"}), None).await
    else {
        panic!("not failed")
    };
    assert_eq!((fault.status, fault.message.contains("You do not have permission")), (Some(403), true), "{fault:?}");
    assert!(fault.remedy.contains("Administrator"), "{fault:?}");
    let person = json!({"login": "a@example.com", "email": "a@example.com", "firstName": "A", "lastName": "B"});
    let CardOutcome::Failed { fault, .. } = call(&server.url, "okta/createUser", person, None).await else {
        panic!("not failed")
    };
    assert!(fault.message.contains("login: An object with this field already exists"), "{fault:?}");
}

#[tokio::test]
async fn a_redirect_of_a_write_is_not_followed_and_one_of_a_read_is() {
    let target = Server::start(|_| reply(200, "", &json!({"id": "u1"}))).await;
    let location = target.url.clone();
    let server = Server::start(move |head| {
        let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
        if path.ends_with("/moved") {
            reply(200, "", &json!({"id": "here"}))
        } else if head.starts_with("GET") {
            reply(302, "Location: /moved\r\n", &json!({}))
        } else {
            reply(307, &format!("Location: {location}{path}\r\n"), &json!({}))
        }
    })
    .await;
    let outcome = call(&server.url, "okta/suspendUser", json!({"id": "u1"}), None).await;
    let CardOutcome::Failed { fault, transient: false, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((fault.status, target.count()), (Some(307), 0), "the write went on");
    assert!(fault.remedy.contains("not followed"), "{fault:?}");
    assert_eq!(done(&server.url, "okta/readUser", json!({"ID or Login": "u1"})).await.get("ID"), "here");
}
