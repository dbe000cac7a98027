//! How connecting in a browser ends: by the server's own page, declined, too late, or in a form that keeps what was typed.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;
use crate::support::people as visitor;

use flowdeck::connections::{AttemptStep, SecretText};
use flowdeck::model::Fields;
use flowdeck::model::connect::{PromptState, PromptView};
use flowdeck::people::{PasswordCost, Role};
use flowdeck::{RuntimeBuilder, Source, Start, Status};
use support::{ASKS, builder, desk};
use visitor::{Answer, FORM, PASSWORD, Place};

const LOOPBACK: &str = "127.0.0.1:8918";
const LOCALHOST: &str = "localhost:8918";

/// An app with two ways to connect that have fields of the same name.
const GATE: &str = r#"
app: gate
title: Gate
summary: An app with two ways in.
version: "1"
base_url: "https://{domain}"
auth:
  methods:
    - key: key
      title: Key
      fields:
        - { key: domain, title: Domain, shape: { domain: { strip_suffixes: [] } } }
        - { key: key, title: Key, secret: true }
      kind: { headers: { headers: { X-Key: "{key}" } } }
    - key: pair
      title: Pair
      fields:
        - { key: domain, title: Domain, shape: { domain: { strip_suffixes: [] } } }
        - { key: client_id, title: Client ID }
        - { key: client_secret, title: Client secret, secret: true }
      kind: { headers: { headers: { X-Id: "{client_id}", X-Key: "{client_secret}" } } }
  hosts: ["{domain}"]
  help: |
    1. Open *Keys* and press **New key**.
    2. Copy `key_…` into the <form>.
actions:
  who:
    title: Who
    summary: Says who one is.
    effect: observe
    request: { method: GET, path: /who }
    outputs:
      - { field: { key: name, type: text, help: "The name." }, value: "${response.body.name}" }
"#;

async fn place(builder: RuntimeBuilder) -> (Place, PromptView) {
    let place = visitor::with(builder.memory().password_cost(PasswordCost::Small), None).await;
    let prompt = waiting(&place, ASKS).await;
    (place, prompt)
}

/// A run of this flow waits for a connection.
async fn waiting(place: &Place, flow: &str) -> PromptView {
    for name in ["bo", "cy"] {
        let password = SecretText::new(PASSWORD);
        place.people.add_user(None, name.parse().unwrap(), Role::Builder, &password).await.unwrap();
    }
    let flow = place.runtime.flow(&Source::new("asks.flow.yaml", flow), None).unwrap();
    let run = place.runtime.run(Start::new(flow, Fields::new())).await.unwrap();
    assert_eq!(run.status, Status::Waiting);
    place.runtime.prompts(Some(PromptState::Open), None).await.unwrap().remove(0)
}

/// Somebody's browser, at this name of the server.
struct Browser<'a> {
    place: &'a Place,
    host: &'static str,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn of(place: &'a Place, name: &str, host: &'static str) -> Self {
        let mut browser = Self { place, host, cookie: String::new() };
        let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        browser.cookie = browser.post("/login", &form).await.cookie();
        browser
    }

    async fn get(&self, path: &str) -> Answer {
        self.place.call("GET", path, &[("host", self.host), ("cookie", &self.cookie)], "").await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        let origin = format!("http://{}", self.host);
        let headers = [("host", self.host), ("origin", origin.as_str()), FORM, ("cookie", &self.cookie)];
        self.place.call("POST", path, &headers, form).await
    }

    /// Begins to connect; the page of the attempt, where the app sends the browser back to, and the state.
    async fn begin(&self, prompt: &PromptView, method: &str) -> (String, String, String) {
        let form = format!("method={method}&nickname=desk");
        let begun = self.post(&format!("/connect/{}", prompt.id), &form).await;
        assert_eq!(begun.status, 303, "{begun:?}");
        let page = begun.header("location").to_owned();
        let id = page.trim_start_matches("/connect/").parse().unwrap();
        let AttemptStep::Browser { redirect_uri, state, .. } =
            self.place.runtime.connections().attempt(id).await.unwrap().step
        else {
            panic!("no consent")
        };
        (page, redirect_uri, state)
    }
}

#[tokio::test]
async fn a_consent_lands_on_the_servers_own_page_however_often_it_comes_back() {
    let (_desk, url) = desk().await;
    let (place, prompt) = place(builder(&url)).await;
    let bo = Browser::of(&place, "bo", LOOPBACK).await;
    let (page, redirect, state) = bo.begin(&prompt, "oauth").await;
    assert_eq!(redirect, format!("http://{LOOPBACK}/oauth/callback/desk"));
    let back = format!("/oauth/callback/desk?code=c&state={state}");
    for _ in 0..2 {
        let led = bo.get(&back).await;
        assert_eq!((led.status, led.header("location")), (303, page.as_str()), "{led:?}");
        let done = bo.get(&page).await;
        for part in
            ["<strong>Ada</strong> of Desk", "as <strong>desk</strong>", "goes on by itself", "href=\"/connect\""]
        {
            assert!(done.body.contains(part), "{part}: {done:?}");
        }
    }
    let nobodys = bo.get("/oauth/callback/desk?code=c&state=x").await;
    assert!(nobodys.status == 400 && nobodys.body.contains("href=\"/connect\""), "{nobodys:?}");
}

#[tokio::test]
async fn who_came_by_another_name_of_this_machine_is_led_back_to_it() {
    let (_desk, url) = desk().await;
    let (place, prompt) = place(builder(&url)).await;
    let bo = Browser::of(&place, "bo", LOCALHOST).await;
    let (page, redirect, state) = bo.begin(&prompt, "oauth").await;
    assert_eq!(redirect, format!("http://{LOOPBACK}/oauth/callback/desk"), "apps take no other name");
    let back = format!("/oauth/callback/desk?code=c&state={state}");
    let led = place.call("GET", &back, &[("host", LOOPBACK)], "").await;
    // A redirect would be held against what the app's page says of its form.
    let there = format!("content=\"0;url=http://{LOCALHOST}/oauth/callback/desk?code=c&amp;state={state}\"");
    assert!(led.status == 200 && led.body.contains(&there), "{led:?}");
    assert_eq!(led.header("referrer-policy"), "no-referrer");
    // Once there without a session it goes no further, and an answer that nobody waits for leads nowhere else.
    assert_eq!(place.call("GET", &back, &[("host", LOCALHOST)], "").await.header("location"), "/login");
    let other = "/oauth/callback/desk?code=c&state=x";
    assert_eq!(place.call("GET", other, &[("host", LOOPBACK)], "").await.header("location"), "/login");
    assert_eq!(bo.get(&back).await.header("location"), page);
    assert!(bo.get(&page).await.body.contains("<h1>Connected</h1>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_app_knows_one_address_its_listener_leads_to_the_servers_page() {
    let (_desk, url) = desk().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let builder = builder(&url).redirect_port(free).memory().password_cost(PasswordCost::Small);
    let place = visitor::listening(builder).await;
    let prompt = waiting(&place, ASKS).await;
    let bo = Browser::of(&place, "bo", LOCALHOST).await;
    let (page, redirect, state) = bo.begin(&prompt, "registered").await;
    assert_eq!(redirect, format!("http://127.0.0.1:{free}/oauth/callback/desk"));
    for _ in 0..2 {
        let answer = visitor::over_tcp(free, &format!("/oauth/callback/desk?code=c&state={state}")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("referrer-policy: no-referrer"), "{answer}");
        assert!(answer.contains(&format!("content=\"0;url=http://{LOCALHOST}{page}\"")), "{answer}");
    }
    assert!(bo.get(&page).await.body.contains("<h1>Connected</h1>"));
}

#[tokio::test]
async fn who_declines_hears_that_nothing_changed_and_can_try_again() {
    let (_desk, url) = desk().await;
    let (place, prompt) = place(builder(&url)).await;
    let bo = Browser::of(&place, "bo", LOOPBACK).await;
    let (page, _, state) = bo.begin(&prompt, "oauth").await;
    let wrong = bo.post(&page, "do=paste&text=http%3A%2F%2Fx%2F%3Fcode%3Dc%26state%3Dother").await;
    assert!(wrong.body.contains("That is not the answer to this attempt") && !wrong.body.contains("tart again"));
    assert!(wrong.body.contains("Go on to Desk"), "the attempt lives: {wrong:?}");
    bo.get(&format!("/oauth/callback/desk?error=access_denied&state={state}")).await;
    let told = bo.get(&page).await;
    for part in
        ["<h1>Declined</h1>", "Nothing was changed.", &format!("<a href=\"/connect/{}\">Try again</a>", prompt.id)]
    {
        assert!(told.body.contains(part), "{part}: {told:?}");
    }
    assert!(!told.body.contains("check"), "{told:?}");
}

#[tokio::test]
async fn who_answers_second_hears_with_what_it_was_answered() {
    let (_desk, url) = desk().await;
    let (place, prompt) = place(builder(&url)).await;
    let (bo, cy) = (Browser::of(&place, "bo", LOOPBACK).await, Browser::of(&place, "cy", LOOPBACK).await);
    let form = format!("/connect/{}", prompt.id);
    let (first, _, of_bo) = bo.begin(&prompt, "oauth").await;
    let (second, _, of_cy) = cy.begin(&prompt, "registered").await;
    bo.get(&format!("/oauth/callback/desk?code=c&state={of_bo}")).await;
    cy.get(&format!("/oauth/callback/desk?code=c&state={of_cy}")).await;
    assert!(bo.get(&first).await.body.contains("What waited for it goes on by itself."));
    let late = cy.get(&second).await;
    for part in
        ["answered meanwhile with <strong>desk</strong>", "saved as <strong>desk-2</strong>; nothing uses it yet"]
    {
        assert!(late.body.contains(part), "{part}: {late:?}");
    }
    assert!(!late.body.contains("goes on by itself"), "{late:?}");
    // Whose form was still open.
    for sent in ["method=token&nickname=three&f.token=canary", "use=con_00000000000000000000000000"] {
        let told = cy.post(&form, sent).await;
        assert_eq!(told.status, 409, "{sent}: {told:?}");
        assert!(told.body.contains("What you entered was not used.") && told.body.contains("<strong>desk</strong>"));
        assert!(!told.body.contains("canary"));
    }
}

#[tokio::test]
async fn a_mistake_keeps_what_was_typed_but_secrets_and_stands_in_its_own_form() {
    let flow = ASKS.replace("desk", "gate");
    let builder = visitor::own().app_file("gate.app.yaml", GATE).memory().password_cost(PasswordCost::Small);
    let place = visitor::with(builder, None).await;
    let prompt = waiting(&place, &flow).await;
    let bo = Browser::of(&place, "bo", LOOPBACK).await;
    let page = format!("/connect/{}", prompt.id);
    let form = bo.get(&page).await;
    assert!(form.body.contains("<li>Copy <code>key_…</code> into the &lt;form&gt;.</li>"), "{form:?}");
    assert!(form.body.contains("press <strong>New key</strong>") && !form.body.contains("**"), "{form:?}");
    let sent = "method=pair&nickname=mine+%26+yours&f.domain=a+b&f.client_id=id-7&f.client_secret=canary";
    let told = bo.post(&page, sent).await;
    assert_eq!(told.status, 422, "{told:?}");
    let (first, second) = told.body.split_once("<h2>Pair</h2>").unwrap();
    for part in ["value=\"mine &amp; yours\"", "value=\"a b\"", "value=\"id-7\"", "aria-invalid=\"true\""] {
        assert!(second.contains(part), "{part}: {told:?}");
    }
    assert!(first.contains("value=\"mine &amp; yours\""), "one name, whichever way: {told:?}");
    assert!(!first.contains("aria-invalid=\"true\"") && !first.contains("value=\"a b\""), "{told:?}");
    assert!(!told.body.contains("canary") && second.contains("Enter it again."), "{told:?}");
    let local = bo.post(&page, "method=key&nickname=x&f.domain=http%3A%2F%2Flocalhost%3A4400&f.key=canary").await;
    assert!(local.body.contains("--allow-http") && local.body.contains("value=\"http://localhost:4400\""), "{local:?}");
}
