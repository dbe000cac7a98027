//! Connecting in a browser without a console: from what waits to what came of it, by the person who began it.
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
use flowdeck::{Source, Start, Status};
use support::{ASKS, builder, desk};
use visitor::{Answer, FORM, PASSWORD, Place};

const SITE: &str = "https://flows.example.com";
const HOST: (&str, &str) = ("host", "flows.example.com");
const OWN: (&str, &str) = ("origin", SITE);

/// A run waits for the desk; the server is known by a public name.
async fn waiting() -> (Place, PromptView) {
    let (_desk, url) = desk().await;
    let builder = builder(&url).memory().redirect_base(SITE).password_cost(PasswordCost::Small);
    let place = visitor::with(builder, Some(SITE)).await;
    for (name, role) in [("vera", Role::Viewer), ("bo", Role::Builder), ("ada", Role::Administrator)] {
        place.people.add_user(None, name.parse().unwrap(), role, &SecretText::new(PASSWORD)).await.unwrap();
    }
    let flow = place.runtime.flow(&Source::new("asks.flow.yaml", ASKS), None).unwrap();
    let run = place.runtime.run(Start::new(flow, Fields::new())).await.unwrap();
    assert_eq!(run.status, Status::Waiting);
    let prompt = place.runtime.prompts(Some(PromptState::Open), None).await.unwrap().remove(0);
    (place, prompt)
}

async fn sign_in(place: &Place, name: &str) -> String {
    let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
    place.call("POST", "/login", &[HOST, OWN, FORM], &form).await.cookie()
}

async fn get(place: &Place, cookie: &str, path: &str) -> Answer {
    place.call("GET", path, &[HOST, ("cookie", cookie), ("sec-fetch-site", "cross-site")], "").await
}

async fn post(place: &Place, cookie: &str, path: &str, form: &str) -> Answer {
    place.call("POST", path, &[HOST, OWN, FORM, ("cookie", cookie)], form).await
}

async fn open_prompts(place: &Place) -> usize {
    place.runtime.prompts(Some(PromptState::Open), None).await.unwrap().len()
}

#[tokio::test]
async fn a_form_connects_and_says_what_is_wrong_beside_its_field() {
    let (place, prompt) = waiting().await;
    let bo = sign_in(&place, "bo").await;
    let page = format!("/connect/{}", prompt.id);
    let list = get(&place, &bo, "/connect").await;
    assert!(list.body.contains(&format!("<a href=\"{page}\">Connect Desk</a>")), "{list:?}");
    let form = get(&place, &bo, &page).await;
    for part in
        ["<h1>Connect Desk</h1>", "<label for=\"m0-token\">Token</label>", "type=\"password\"", "Ask at the desk."]
    {
        assert!(form.body.contains(part), "{part} is missing: {form:?}");
    }
    assert!(!form.body.contains("<script") && form.header("content-security-policy").contains("form-action 'self'"));
    let empty = post(&place, &bo, &page, "method=token&nickname=desk&f.token=").await;
    assert_eq!(empty.status, 422, "{empty:?}");
    assert!(empty.body.contains("aria-invalid=\"true\"") && empty.body.contains("role=\"alert\""), "{empty:?}");
    let wrong = post(&place, &bo, &page, "method=token&nickname=desk+two&f.token=canary").await;
    assert!(wrong.status == 422 && wrong.body.contains("role=\"alert\""), "{wrong:?}");
    assert!(wrong.body.contains("value=\"desk two\"") && !wrong.body.contains("canary"), "{wrong:?}");
    assert!(wrong.body.contains("<h1>Connect Desk</h1>"), "the form is still there: {wrong:?}");
    assert_eq!(open_prompts(&place).await, 1);
    let right = post(&place, &bo, &page, "method=token&nickname=desk&f.token=s3cret").await;
    assert_eq!(right.status, 303, "{right:?}");
    let done = get(&place, &bo, right.header("location")).await;
    assert!(done.body.contains("<h1>Connected</h1>") && done.body.contains("Ada"), "{done:?}");
    assert!(!done.body.contains("s3cret"));
    assert_eq!(open_prompts(&place).await, 0);
    assert!(get(&place, &bo, "/connect").await.body.contains("Nothing waits"));
}

#[tokio::test]
async fn a_consent_comes_back_only_to_the_person_who_began_it() {
    let (place, prompt) = waiting().await;
    let (bo, ada, vera) = (sign_in(&place, "bo").await, sign_in(&place, "ada").await, sign_in(&place, "vera").await);
    let begun = post(&place, &bo, &format!("/connect/{}", prompt.id), "method=registered&nickname=desk").await;
    assert_eq!(begun.status, 303, "{begun:?}");
    let page = begun.header("location").to_owned();
    let shown = get(&place, &bo, &page).await;
    assert!(shown.body.contains("rel=\"noreferrer\">Go on to Desk</a> (127.0.0.1:"), "{shown:?}");
    assert!(shown.body.contains("Desk asks whether you agree."), "{shown:?}");
    assert!(shown.body.contains("connecting an account of yours to this workspace"));
    let id = page.trim_start_matches("/connect/").parse().unwrap();
    let AttemptStep::Browser { redirect_uri, state, .. } = place.runtime.connections().attempt(id).await.unwrap().step
    else {
        panic!("no consent")
    };
    assert_eq!(redirect_uri, format!("{SITE}/oauth/callback/desk"));
    let back = format!("/oauth/callback/desk?code=c&state={state}");
    assert_eq!(get(&place, &ada, &page).await.status, 404, "somebody else's attempt");
    let foreign = get(&place, &ada, &back).await;
    assert!(foreign.status == 400 && foreign.body.contains("Nothing waits for this answer"), "{foreign:?}");
    assert_eq!(get(&place, &vera, &back).await.code(), "people.forbidden");
    assert_eq!(place.call("GET", &back, &[HOST], "").await.header("location"), "/login");
    for other in ["/oauth/callback/desk?code=c&state=x", "/oauth/callback/desk?code=c", "/oauth/callback/desk"] {
        assert_eq!(get(&place, &bo, other).await.status, 400, "{other}");
    }
    let elsewhere = format!("/oauth/callback/other?code=c&state={state}");
    assert_eq!(get(&place, &bo, &elsewhere).await.status, 400);
    assert_eq!(open_prompts(&place).await, 1, "nothing of that connected");
    let came = get(&place, &bo, &back).await;
    assert_eq!((came.status, came.header("location")), (303, page.as_str()), "{came:?}");
    let done = get(&place, &bo, &page).await;
    assert!(
        done.body.contains("<strong>Ada</strong> of Desk is connected to this workspace as <strong>desk</strong>"),
        "{done:?}"
    );
    assert_eq!(open_prompts(&place).await, 0);
    // The same answer again connects nothing, and leads to the page that says what is.
    assert_eq!(get(&place, &bo, &back).await.header("location"), page);
    // A closed prompt has no form any more.
    let over = get(&place, &bo, &format!("/connect/{}", prompt.id)).await;
    assert!(over.body.contains("It was answered with <strong>desk</strong>, Ada."), "{over:?}");
    assert!(!over.body.contains("<form") && over.body.contains("href=\"/connect\""), "{over:?}");
}

#[tokio::test]
async fn an_address_is_pasted_back_where_the_browser_could_not_open_it() {
    let (place, prompt) = waiting().await;
    let bo = sign_in(&place, "bo").await;
    let begun = post(&place, &bo, &format!("/connect/{}", prompt.id), "method=registered&nickname=desk").await;
    let page = begun.header("location").to_owned();
    let id = page.trim_start_matches("/connect/").parse().unwrap();
    let AttemptStep::Browser { state, .. } = place.runtime.connections().attempt(id).await.unwrap().step else {
        panic!("no consent")
    };
    let pasted =
        format!("do=paste&text=https%3A%2F%2Fflows.example.com%2Foauth%2Fcallback%2Fdesk%3Fcode%3Dc%26state%3D{state}");
    assert_eq!(post(&place, &bo, &page, &pasted).await.status, 303);
    assert!(get(&place, &bo, &page).await.body.contains("<h1>Connected</h1>"));
    assert_eq!(post(&place, &bo, &page, "do=nothing").await.status, 400);
}
