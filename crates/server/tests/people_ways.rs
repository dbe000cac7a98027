//! Ways through the pages: to sign in and back, what was typed is kept, errors are pages for people and JSON for programs.
//!
//! Must never leave this process.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::people as support;

use support::*;

/// What a browser says that it takes.
const SEES: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn a_mistake_at_a_door_keeps_the_name_and_no_secret() {
    let place = empty(None).await;
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let form = format!("token={}&name=ada.b&password=canary-1", token.expose());
    let refused = place.call("POST", "/setup", &[FORM, OWN], &form).await;
    assert!(refused.status == 422 && refused.body.contains("value=\"ada.b\""), "{refused:?}");
    assert!(!refused.body.contains("canary"), "{refused:?}");
    let wrong = place.call("POST", "/login", &[FORM, OWN], "name=ad%22a&password=canary-2").await;
    assert!(wrong.status == 401 && wrong.body.contains("value=\"ad&quot;a\""), "{wrong:?}");
    assert!(!wrong.body.contains("canary"), "{wrong:?}");
}

#[tokio::test]
async fn signing_in_leads_back_to_the_page_that_was_asked_for() {
    let place = place().await;
    for (path, expected) in [
        ("/connect", "/login?to=/connect"),
        ("/connect/prm_x", "/login?to=/connect/prm_x"),
        ("/account", "/login"),
        ("/", "/login"),
    ] {
        assert_eq!(place.call("GET", path, &[SEES], "").await.header("location"), expected, "{path}");
    }
    let page = place.call("GET", "/login?to=/connect", &[], "").await;
    assert!(page.body.contains("name=\"to\" value=\"/connect\"") && !page.body.contains("role=\"status\""), "{page:?}");
    let form = "name=bo&password=correct+horse+battery&to=";
    for (to, expected) in [
        ("/connect", "/connect"),
        ("/connect/prm_x", "/connect/prm_x"),
        ("/connect%0d%0ax", "/account"),
        ("//evil.example", "/account"),
        ("https://evil.example/connect", "/account"),
        ("/%5Cevil.example", "/account"),
    ] {
        let done = place.call("POST", "/login", &[FORM, OWN], &format!("{form}{to}")).await;
        assert_eq!((done.status, done.header("location")), (303, expected), "{to}");
    }
}

#[tokio::test]
async fn a_form_sent_after_the_session_ended_leads_back_to_its_page_and_says_so() {
    let place = place().await;
    for (path, expected) in [
        ("/connect/prm_x", "/login?to=/connect/prm_x&lost=1"),
        ("/account/password", "/login?lost=1"),
        ("/logout", "/login"),
    ] {
        let sent = place.call("POST", path, &[FORM, OWN, ("cookie", "flowdeck-8918=old")], "a=b").await;
        assert_eq!((sent.status, sent.header("location")), (303, expected));
    }
    let page = place.call("GET", "/login?to=/connect/prm_x&lost=1", &[], "").await;
    assert!(page.status == 200 && page.body.contains("Your session has ended."), "{page:?}");
}

#[tokio::test]
async fn the_bare_address_leads_each_person_on() {
    let place = place().await;
    for (name, expected) in [("vera", "/account"), ("bo", "/connect"), ("ada", "/connect")] {
        let session = place.sign_in(name).await;
        let led = place.call("GET", "/", &[("cookie", &session), SEES], "").await;
        assert_eq!((led.status, led.header("location")), (303, expected), "{name}");
    }
    assert_eq!(place.call("GET", "/", &[SEES], "").await.header("location"), "/login");
}

#[tokio::test]
async fn an_error_is_a_page_in_a_browser_and_json_for_programs() {
    let place = place().await;
    let (vera, bo) = (place.sign_in("vera").await, place.sign_in("bo").await);
    for (who, path, host, status, words) in [
        (&vera, "/connect", HOST.1, 403, "This needs the role builder, and yours is viewer."),
        (&bo, "/connect/att_nowhere", HOST.1, 404, "somebody else began it"),
        (&bo, "/connect/prm_nowhere", HOST.1, 404, "href=\"/\""),
        (&bo, "/nowhere", HOST.1, 404, "href=\"/\""),
        (&bo, "/login%2f", HOST.1, 404, "href=\"/\""),
        (&bo, "/account", "evil.example", 421, "This server is not known under that name."),
    ] {
        let who = ("cookie", who.as_str());
        let seen = place.call("GET", path, &[who, SEES, ("host", host)], "").await;
        assert_eq!((seen.status, seen.header("content-type")), (status, "text/html; charset=utf-8"), "{path}");
        assert!(seen.body.contains(words) && seen.body.contains("<html lang=\"en\">"), "{path}: {seen:?}");
        assert!(seen.header("content-security-policy").starts_with("default-src 'none'"), "{seen:?}");
        assert_eq!(seen.header("cache-control"), "no-store");
        for accept in ["application/json", "*/*", "-"] {
            let told = place.call("GET", path, &[who, ("accept", accept), ("host", host)], "").await;
            assert_eq!((told.status, told.header("content-type")), (status, "application/problem+json"), "{path}");
            assert!(!told.code().is_empty(), "{told:?}");
        }
    }
    // The API speaks JSON to everybody.
    let told = place.call("GET", "/v1/runs/nowhere", &[("cookie", &bo), SEES], "").await;
    assert_eq!(told.header("content-type"), "application/problem+json", "{told:?}");
    let foreign = [("cookie", bo.as_str()), FORM, SEES, ("origin", "https://evil.example")];
    let refused = place.call("POST", "/account/password", &foreign, "a=b").await;
    assert!(
        refused.status == 403 && refused.body.contains("Another site&#39;s page sent this request."),
        "{refused:?}"
    );
}
