//! Coming in and going out: set-up, signing in, passwords, tokens, over JSON and over the pages.
//!
//! Must never wait for real time.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::people as support;

use flowdeck::people::Role;
use flowdeck_server::wire::{ChangePassword, MakeToken, SetUp, SignIn, TokenMade};
use serde_json::json;
use support::*;

const NEW: &str = "another long one";

#[tokio::test]
async fn the_first_administrator_sets_up_with_the_link_once() {
    let place = empty(None).await;
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let link = format!("/setup?token={}", token.expose());
    let page = place.call("GET", &link, &[("sec-fetch-site", "none")], "").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains(token.expose()) && page.body.contains("<label for=\"password\">"), "{page:?}");
    assert_eq!(place.call("GET", &link, &[], "").await.status, 200, "looking at it does not use it");
    let form = |password: &str| format!("token={}&name=Ada&password={}", token.expose(), password.replace(' ', "+"));
    let refused = place.call("POST", "/setup", &[FORM, OWN], &form("short")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("role=\"alert\"") && !refused.body.contains("short\""), "{refused:?}");
    let done = place.call("POST", "/setup", &[FORM, OWN], &form(PASSWORD)).await;
    assert_eq!((done.status, done.header("location")), (303, "/account"), "{done:?}");
    assert!(done.header("set-cookie").ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"));
    let cookie = done.cookie();
    let me = place.call("GET", "/v1/me", &[("cookie", &cookie)], "").await;
    assert_eq!(me.json(), json!({ "name": "ada", "role": "administrator", "by": "session" }));
    for again in [
        place.call("GET", &link, &[], "").await,
        place.call("POST", "/setup", &[FORM, OWN], &form(PASSWORD)).await,
        place.call("GET", "/setup?token=%3Cscript%3E", &[], "").await,
        place.call("GET", "/setup", &[], "").await,
    ] {
        assert_eq!(again.status, 403);
        assert!(!again.body.contains("<form") && !again.body.contains("<script"), "{again:?}");
    }
}

#[tokio::test]
async fn set_up_over_json_answers_a_session() {
    let place = empty(None).await;
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let body = serde_json::to_string(&SetUp { token, name: "ada".into(), password: PASSWORD.into() }).unwrap();
    let done = place.call("POST", "/v1/setup", &[JSON], &body).await;
    assert_eq!((done.status, done.json()["role"].as_str()), (201, Some("administrator")));
    assert_eq!(place.call("POST", "/v1/setup", &[JSON], &body).await.code(), "people.setup");
    assert_eq!(place.call("GET", "/v1/users", &[("cookie", &done.cookie())], "").await.status, 200);
}

#[tokio::test]
async fn people_sign_in_and_out_by_the_pages() {
    let place = place().await;
    let sent_away = place.call("GET", "/account", &[], "").await;
    assert_eq!((sent_away.status, sent_away.header("location")), (303, "/login"));
    let page = place.call("GET", "/login?to=https://evil.example", &[("sec-fetch-site", "cross-site")], "").await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("evil") && !page.body.contains("<script"), "{page:?}");
    assert_eq!(page.header("referrer-policy"), "same-origin", "else browsers hide the origin of the form");
    let wrong = place.call("POST", "/login", &[FORM, OWN], "name=<b>&password=canary-1&to=").await;
    assert_eq!(wrong.status, 401);
    assert!(!wrong.body.contains("canary") && !wrong.body.contains("<b>"), "{wrong:?}");
    assert!(wrong.header("set-cookie").is_empty());
    let form = "name=ada&password=correct+horse+battery&to=//evil.example";
    let done = place.call("POST", "/login", &[FORM, OWN], form).await;
    assert_eq!((done.status, done.header("location")), (303, "/account"));
    let cookie = done.cookie();
    let account = place.call("GET", "/account", &[("cookie", &cookie)], "").await;
    assert!(account.status == 200 && account.body.contains("<strong>ada</strong>, administrator"), "{account:?}");
    let change = "present=correct+horse+battery&new=another+long+one";
    let changed = place.call("POST", "/account/password", &[FORM, OWN, ("cookie", &cookie)], change).await;
    assert!(changed.status == 200 && changed.body.contains("role=\"status\""), "{changed:?}");
    assert_eq!(place.call("GET", "/account", &[("cookie", &cookie)], "").await.status, 303, "the old session");
    let cookie = changed.cookie();
    let out = place.call("POST", "/logout", &[FORM, OWN, ("cookie", &cookie)], "").await;
    assert_eq!((out.status, out.header("location")), (303, "/login"));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(place.call("GET", "/v1/me", &[("cookie", &cookie)], "").await.status, 401);
}

#[tokio::test]
async fn a_session_over_json_ends_with_its_time_its_password_and_signing_out() {
    let place = place().await;
    let me = |cookie: String| {
        let router = &place;
        async move { router.call("GET", "/v1/me", &[("cookie", &cookie)], "").await.status }
    };
    let (first, second) = (place.sign_in("ada").await, place.sign_in("ada").await);
    let body = ChangePassword { present: PASSWORD.into(), new: NEW.into() };
    let body = serde_json::to_string(&body).unwrap();
    let changed = place.call("POST", "/v1/me/password", &[JSON, MARK, ("cookie", &first)], &body).await;
    assert_eq!(changed.status, 204, "{changed:?}");
    assert_eq!((me(first).await, me(second).await), (401, 401));
    let third = changed.cookie();
    assert_eq!(me(third.clone()).await, 200);
    place.clock.advance(12 * 3_600_000);
    assert_eq!(me(third).await, 401);
    let body = serde_json::to_string(&SignIn { name: "ada".into(), password: NEW.into() }).unwrap();
    let fourth = place.call("POST", "/v1/login", &[JSON], &body).await.cookie();
    assert_eq!(place.call("POST", "/v1/logout", &[MARK, ("cookie", &fourth)], "").await.status, 204);
    assert_eq!(me(fourth).await, 401);
}

#[tokio::test]
async fn guesses_wait_and_are_told_how_long() {
    let place = place().await;
    let tried = |name: &'static str, password: &'static str| {
        let place = &place;
        async move {
            let body = json!({ "name": name, "password": password }).to_string();
            place.call("POST", "/v1/login", &[JSON], &body).await
        }
    };
    for name in ["vera", "nobody"] {
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(tried(name, "wrong").await.body);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers[0].contains("people.sign_in"));
        let slow = tried(name, PASSWORD).await;
        assert_eq!((slow.status, slow.code().as_str(), slow.header("retry-after")), (429, "people.throttled", "1"));
    }
    place.clock.advance(1_000);
    assert_eq!(tried("vera", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn behind_a_proxy_the_cookie_is_bound_to_https_and_this_host() {
    let place = empty(Some("https://flows.example.com")).await;
    place.people.add_user(None, "ada".parse().unwrap(), Role::Administrator, &PASSWORD.into()).await.unwrap();
    let (host, origin) = (("host", "flows.example.com"), ("origin", "https://flows.example.com"));
    let form = "name=ada&password=correct+horse+battery";
    let done = place.call("POST", "/login", &[host, origin, FORM], form).await;
    assert_eq!(done.status, 303, "{done:?}");
    let set = done.header("set-cookie");
    assert!(set.starts_with("__Host-flowdeck=") && set.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{set}");
    assert!(!set.contains("Domain"));
    let cookie = done.cookie();
    let headers = [host, origin, MARK, ("cookie", cookie.as_str())];
    assert_eq!(place.call("POST", "/v1/logout", &headers, "").await.status, 204);
}

#[tokio::test]
async fn users_are_added_changed_and_shut_out() {
    let place = place().await;
    let ada = place.sign_in("ada").await;
    let who = [JSON, MARK, ("cookie", ada.as_str())];
    let add = |name: &str| json!({ "name": name, "role": "viewer", "password": PASSWORD }).to_string();
    let added = place.call("POST", "/v1/users", &who, &add("Eve")).await;
    assert_eq!((added.status, added.json()["name"].as_str()), (201, Some("eve")), "{added:?}");
    assert_eq!(place.call("POST", "/v1/users", &who, &add("eve")).await.code(), "people.name_taken");
    assert_eq!(place.call("POST", "/v1/users", &who, &add("a b")).await.code(), "people.name");
    let eve = place.sign_in("eve").await;
    let runs = |cookie: String| {
        let place = &place;
        async move { place.call("POST", "/v1/preflight", &[JSON, MARK, ("cookie", &cookie)], "{").await.code() }
    };
    assert_eq!(runs(eve.clone()).await, "people.forbidden");
    let role = place.call("POST", "/v1/users/eve/role", &who, "{\"role\":\"builder\"}").await;
    assert_eq!(role.json()["role"], "builder");
    assert_eq!(runs(eve.clone()).await, "http.body", "at once");
    assert_eq!(place.call("POST", "/v1/users/eve/disable", &who, "").await.json()["disabled"], true);
    assert_eq!(runs(eve).await, "people.unknown_caller");
    assert_eq!(place.call("POST", "/v1/users/eve/enable", &who, "").await.json()["disabled"], false);
    let reset = json!({ "password": NEW }).to_string();
    assert_eq!(place.call("POST", "/v1/users/eve/password", &who, &reset).await.status, 200);
    assert_eq!(place.call("DELETE", "/v1/users/eve", &who, "").await.status, 204);
    assert_eq!(place.call("DELETE", "/v1/users/eve", &who, "").await.code(), "people.unknown");
    assert_eq!(place.call("DELETE", "/v1/users/ada", &who, "").await.code(), "people.last_administrator");
    let users = place.call("GET", "/v1/users", &who, "").await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 3);
    let audit = place.call("GET", "/v1/audit", &who, "").await;
    assert!(audit.body.contains("\"kind\":\"role_change\"") && audit.body.contains("eve: builder"), "{audit:?}");
}

#[tokio::test]
async fn tokens_are_made_for_oneself_shown_once_and_revoked() {
    let place = place().await;
    let (ada, bo) = (place.sign_in("ada").await, place.sign_in("bo").await);
    let who = |cookie| [JSON, MARK, ("cookie", cookie)];
    let asked = |owner: Option<&str>, role| {
        let owner = owner.map(str::to_owned);
        let asked = MakeToken { name: "ci".into(), owner, role: Some(role), scopes: Vec::new(), days: None };
        serde_json::to_string(&asked).unwrap()
    };
    let made = place.call("POST", "/v1/tokens", &who(&bo), &asked(None, Role::Builder)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made: TokenMade = serde_json::from_str(&made.body).unwrap();
    let header = format!("bearer {}", made.secret.expose());
    let me = place.call("GET", "/v1/me", &[("authorization", &header)], "").await.json();
    assert_eq!(me, json!({ "name": "bo", "role": "builder", "by": "token" }));
    for (cookie, owner, role, code) in [
        (&bo, None, Role::Administrator, "people.token"),
        (&bo, Some("ada"), Role::Viewer, "people.forbidden"),
        (&ada, Some("nobody"), Role::Viewer, "people.unknown"),
    ] {
        assert_eq!(place.call("POST", "/v1/tokens", &who(cookie), &asked(owner, role)).await.code(), code);
    }
    let of_ada = place.call("POST", "/v1/tokens", &who(&ada), &asked(None, Role::Viewer)).await.json();
    let listed = place.call("GET", "/v1/tokens", &who(&bo), "").await;
    assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), 1);
    assert_eq!(place.call("GET", "/v1/tokens", &who(&ada), "").await.json()["tokens"].as_array().unwrap().len(), 2);
    assert!(!listed.body.contains(made.secret.expose()));
    let path = |id: &str| format!("/v1/tokens/{id}");
    let not_own = place.call("DELETE", &path(of_ada["token"]["id"].as_str().unwrap()), &who(&bo), "").await;
    assert_eq!(not_own.code(), "people.unknown_token");
    assert_eq!(place.call("DELETE", &path(&made.token.id), &who(&ada), "").await.status, 204);
    assert_eq!(place.call("GET", "/v1/me", &[("authorization", &header)], "").await.status, 401);
}

#[tokio::test]
async fn no_answer_and_no_description_holds_a_secret() {
    let place = place().await;
    let session = place.sign_in("ada").await;
    let secret = session.split_once('=').unwrap().1;
    let token = place.token("ada", Role::Administrator, Vec::new()).await;
    let canaries = [secret, token.trim_start_matches("Bearer "), PASSWORD, "argon2"];
    for path in ["/v1/me", "/v1/users", "/v1/tokens", "/v1/audit", "/account", "/v1/about", "/login"] {
        let answer = place.call("GET", path, &[("cookie", &session)], "").await;
        assert_eq!(answer.status, 200, "{path}");
        for canary in canaries {
            assert!(!answer.body.contains(canary), "{path}: {canary}");
        }
    }
    // Secrets of a wrong form are not repeated.
    for (path, body) in [
        ("/v1/login", "{\"name\":\"ada\",\"password\":8675309}"),
        ("/v1/setup", "{\"token\":8675309,\"name\":\"x\",\"password\":\"x\"}"),
        ("/v1/login", "{\"name\":8675309,\"password\":\"x\"}"),
    ] {
        let answer = place.call("POST", path, &[JSON], body).await;
        assert!(answer.status == 422 && !answer.body.contains("8675309"), "{answer:?}");
    }
    let made: TokenMade = serde_json::from_value(json!({
        "token": place.people.tokens(None).await.unwrap()[0], "secret": "fd_canary" }))
    .unwrap();
    let sign_in = SignIn { name: "canary".into(), password: "canary".into() };
    let shown = format!("{made:?}{sign_in:?}{:?}{:?}", place.router, place.people);
    for canary in canaries.into_iter().chain(["canary"]) {
        assert!(!shown.contains(canary), "{canary}");
    }
}

#[tokio::test]
async fn a_router_that_is_mounted_without_the_guard_knows_nobody() {
    use tower::ServiceExt as _;
    let place = place().await;
    let bare = flowdeck_server::Api::new(place.runtime.clone(), "1", "here", false).router();
    for path in ["/v1/me", "/v1/users", "/v1/tokens"] {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(bare.clone().oneshot(request).await.unwrap().status(), 401, "{path}");
    }
}
