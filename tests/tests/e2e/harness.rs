//! The harness keeps its own promises: what the other tests rest on is true without flowdeck.
//!
//! Must never start flowdeck.
//! Tests: these are they.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use flowdeck_tests::clock::Clock;
use flowdeck_tests::emulate::{API_TOKEN, CLIENT_ID, CLIENT_SECRET};
use flowdeck_tests::gate::Gate;
use flowdeck_tests::http::{Answer, Http};
use flowdeck_tests::org::{Org, SUSPEND};
use flowdeck_tests::people::{self, ADMIN, OTHER};
use flowdeck_tests::port::Port;
use flowdeck_tests::proxy::{Fault, Rule};
use flowdeck_tests::{missing, need};
use http::Method;
use serde_json::Value;
use url::form_urlencoded::Serializer;

/// What stands in for the application that asks for consent: one callback, then it is gone.
struct Client {
    redirect: String,
    callback: JoinHandle<String>,
}

impl Client {
    fn listen(port: &Port) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        let callback = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nThere").unwrap();
            line.split(' ').nth(1).unwrap_or_default().to_owned()
        });
        Self { redirect: redirect(port), callback }
    }

    fn answer(self) -> HashMap<String, String> {
        let target = self.callback.join().unwrap();
        let query = target.split_once('?').map(|(_, q)| q.to_owned()).unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

fn redirect(port: &Port) -> String {
    format!("http://127.0.0.1:{}/oauth/callback/okta", port.number())
}

fn authorize_url(org: &Org, redirect: &str, scope: &str) -> String {
    let query = Serializer::new(String::new())
        .extend_pairs([("client_id", CLIENT_ID), ("redirect_uri", redirect), ("scope", scope)])
        .extend_pairs([("response_type", "code"), ("state", "st-1"), ("code_challenge_method", "plain")])
        .append_pair("code_challenge", "a-verifier-that-nobody-guesses-0123456789")
        .finish();
    format!("{}/oauth2/v1/authorize?{query}", org.proxy.url())
}

fn token(http: &Http, org: &Org, more: &[(&str, &str)]) -> Answer {
    let body = Serializer::new(String::new())
        .extend_pairs([("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)])
        .extend_pairs(more)
        .finish();
    http.call(Method::POST, &format!("{}/oauth2/v1/token", org.proxy.url()), "", &body).unwrap()
}

/// Consents and exchanges the code: the tokens.
fn tokens(http: &Http, org: &Org, port: &Port, account: &str, scope: &str) -> Value {
    let client = Client::listen(port);
    let redirect = client.redirect.clone();
    let page = org.consent(&authorize_url(org, &redirect, scope), account);
    assert_eq!(page.answer.text(), "There");
    let answer = client.answer();
    assert_eq!(answer["state"], "st-1");
    assert_eq!(answer["iss"], org.proxy.url());
    let grant = [("grant_type", "authorization_code"), ("code", &answer["code"]), ("redirect_uri", &redirect)];
    let wrong = token(http, org, &[&grant[..], &[("code_verifier", "wrong")]].concat());
    assert_eq!((wrong.status.as_u16(), wrong.json()["error"].clone()), (400, "invalid_grant".into()), "PKCE");
    let right = [&grant[..], &[("code_verifier", "a-verifier-that-nobody-guesses-0123456789")]].concat();
    token(http, org, &right).json()
}

fn bearer(tokens: &Value) -> String {
    format!("Bearer {}", tokens["access_token"].as_str().unwrap())
}

fn users(http: &Http, org: &Org, authorization: &str) -> Answer {
    http.call(Method::GET, &format!("{}/api/v1/users?limit=200", org.proxy.url()), authorization, "").unwrap()
}

#[test]
fn no_port_is_handed_out_twice() {
    let ports: Vec<Port> = (0..20).map(|_| Port::take()).collect();
    let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 20);
}

#[test]
fn what_is_missing_fails_the_test_unless_the_person_allowed_it() {
    let look =
        |allowed, found| std::panic::catch_unwind(move || missing::need_unless(allowed, "a thing", "get it", found));
    assert_eq!(look(false, Some(1)).unwrap(), Some(1));
    assert_eq!(look(true, None::<u8>).unwrap(), None);
    let said = *look(false, None::<u8>).unwrap_err().downcast::<String>().unwrap();
    assert!(said.starts_with("a thing is missing: get it."), "{said}");
}

#[test]
fn a_program_can_be_given_another_time_of_day() {
    let year = |days| -> Option<i32> {
        let clock = Clock::days(days)?;
        let date = std::process::Command::new("date").arg("+%Y").envs(clock.environment()).output().unwrap();
        String::from_utf8(date.stdout).unwrap().trim().parse().ok()
    };
    let (later, earlier) = (need!(year(800)), need!(year(-800)));
    assert!(later - earlier >= 4, "{earlier} to {later}");
}

#[test]
fn the_browser_consents_and_the_proxy_knows_whose_token_it_is() {
    let port = Port::take();
    let org = need!(Org::start(people::usual(), &[redirect(&port)]));
    let http = Http::default();
    let given = tokens(&http, &org, &port, OTHER, "openid offline_access okta.users.read");
    assert_eq!(given["scope"], "openid offline_access okta.users.read");

    assert_eq!(users(&http, &org, &bearer(&given)).status.as_u16(), 200);
    assert_eq!(users(&http, &org, "Bearer of-nobody").status.as_u16(), 401);
    assert_eq!(users(&http, &org, "").status.as_u16(), 401);
    let seen = org.proxy.seen();
    let last: Vec<_> = seen.iter().filter(|s| s.is("GET", "/api/v1/users")).map(|s| s.account.as_deref()).collect();
    assert_eq!(last, [Some(OTHER), None, None]);
    assert_eq!(org.proxy.acted("GET", "/api/v1/users").len(), 1);

    let me = http.call(Method::GET, &format!("{}/api/v1/users/me", org.proxy.url()), &bearer(&given), "").unwrap();
    assert_eq!(me.json()["profile"]["login"], OTHER);
}

#[test]
fn a_redirect_uri_that_is_not_registered_is_not_redirected_to() {
    let port = Port::take();
    let org = need!(Org::start(people::usual(), &[redirect(&port)]));
    let url = authorize_url(&org, "http://127.0.0.1:1/elsewhere", "openid");
    let page = org.consent(&url, ADMIN);
    assert_eq!(page.answer.status.as_u16(), 400);
    assert!(page.answer.text().contains("not registered"));
}

#[test]
fn a_scope_that_was_not_granted_is_refused_and_named() {
    let port = Port::take();
    let org = need!(Org::start(people::usual(), &[redirect(&port)]));
    let http = Http::default();
    let given = tokens(&http, &org, &port, ADMIN, "openid okta.users.read");
    let url = format!("{}/api/v1/users/00ugusgone/lifecycle/suspend", org.proxy.url());
    let refused = http.call(Method::POST, &url, &bearer(&given), "{}").unwrap();
    assert_eq!(refused.status.as_u16(), 403);
    assert!(refused.header("www-authenticate").unwrap().contains("okta.users.manage"));
    assert!(org.with_status("SUSPENDED").is_empty());
    org.proxy.enforce_scopes(false);
    assert_eq!(http.call(Method::POST, &url, &bearer(&given), "{}").unwrap().status.as_u16(), 200);
    assert_eq!(org.with_status("SUSPENDED"), ["gus.gone@acme.test".to_owned()].into());
}

#[test]
fn people_have_a_last_login_and_the_day_they_were_made() {
    let org = need!(Org::start(people::usual(), &[]));
    let http = Http::default();
    let list = users(&http, &org, &format!("SSWS {API_TOKEN}")).json();
    for person in people::usual() {
        let user = list.as_array().unwrap().iter().find(|u| u["profile"]["login"] == person.login).unwrap();
        assert_eq!(user["lastLogin"].is_null(), person.last_login.is_none());
        // The day, as the fixture was made anew a moment ago.
        assert_eq!(user["created"].as_str().unwrap()[..10], person.created[..10]);
    }
    org.proxy.take_api_token(false);
    assert_eq!(users(&http, &org, &format!("SSWS {API_TOKEN}")).status.as_u16(), 401);
}

#[test]
fn long_lists_come_in_pages_that_lead_through_the_proxy() {
    let org = need!(Org::start(people::idle(40), &[]));
    let answer = users(&Http::default(), &org, &format!("SSWS {API_TOKEN}"));
    let next = answer.header("link").unwrap();
    assert!(
        next.starts_with(&format!("<{}/api/v1/users?", org.proxy.url())) && next.contains("rel=\"next\""),
        "{next}"
    );
}

#[test]
fn revoked_tokens_are_refused_and_refresh_tokens_rotate() {
    let port = Port::take();
    let org = need!(Org::start(people::usual(), &[redirect(&port)]));
    let http = Http::default();
    let first = tokens(&http, &org, &port, ADMIN, "openid offline_access okta.users.read");
    org.proxy.revoke(OTHER, true);
    assert_eq!(users(&http, &org, &bearer(&first)).status.as_u16(), 200, "somebody else's");
    org.proxy.revoke(ADMIN, false);
    assert_eq!(users(&http, &org, &bearer(&first)).status.as_u16(), 401);

    let refresh = |tokens: &Value| {
        let token_text = tokens["refresh_token"].as_str().unwrap().to_owned();
        token(&http, &org, &[("grant_type", "refresh_token"), ("refresh_token", &token_text)])
    };
    let second = refresh(&first);
    assert_eq!(second.status.as_u16(), 200);
    assert_eq!(refresh(&first).status.as_u16(), 400, "used once");
    assert_eq!(users(&http, &org, &bearer(&second.json())).status.as_u16(), 200);
    org.proxy.revoke(ADMIN, true);
    assert_eq!(refresh(&second.json()).status.as_u16(), 400);
}

#[test]
fn trouble_meets_the_requests_it_was_told_to_meet() {
    let org = need!(Org::start(people::usual(), &[]));
    let http = Http::default();
    let key = format!("SSWS {API_TOKEN}");
    let suspend = |id: &str| {
        http.call(Method::POST, &format!("{}/api/v1/users/{id}/lifecycle/suspend", org.proxy.url()), &key, "{}")
    };
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::unauthorized()).nth(1));
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::too_many(3)).nth(1));
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::forbidden()).nth(1));
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::DropBefore).nth(1));
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::DropAfter).nth(1));
    assert_eq!(suspend("00ugusgone").unwrap().status.as_u16(), 401);
    let busy = suspend("00ugusgone").unwrap();
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (429, Some("3")));
    assert_eq!(suspend("00ugusgone").unwrap().status.as_u16(), 403);
    assert!(suspend("00ugusgone").is_err());
    assert!(org.with_status("SUSPENDED").is_empty(), "none of these was carried out");
    assert!(suspend("00ugusgone").is_err());
    assert_eq!(org.suspensions(), [("gus.gone@acme.test".to_owned(), 1)]);
    assert_eq!(suspend("00uhalgone").unwrap().status.as_u16(), 200);
    assert_eq!(org.proxy.count("POST", SUSPEND), 6);
}

#[test]
fn answers_stand_at_the_gate_after_the_org_acted() {
    let org = need!(Org::start(people::usual(), &[]));
    let (before, after) = (Gate::default(), Gate::default());
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldBefore(before.clone())).nth(1));
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldAfter(after.clone())).nth(1));
    std::thread::scope(|scope| {
        let call = |id: &'static str| {
            let url = format!("{}/api/v1/users/{id}/lifecycle/suspend", org.proxy.url());
            move || {
                Http::default().call(Method::POST, &url, &format!("SSWS {API_TOKEN}"), "{}").unwrap().status.as_u16()
            }
        };
        let first = scope.spawn(call("00ugusgone"));
        before.wait_for(1);
        let second = scope.spawn(call("00uhalgone"));
        after.wait_for(1);
        assert_eq!(org.suspensions(), [("hal.gone@acme.test".to_owned(), 1)]);
        after.open();
        before.open();
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (200, 200));
    });
    assert_eq!(org.suspensions().len(), 2);
}

#[test]
fn what_the_org_did_is_known_though_the_caller_went_away() {
    let org = need!(Org::start(people::usual(), &[]));
    let gate = Gate::default();
    org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldBefore(gate.clone())));
    let request = format!(
        "POST /api/v1/users/00ugusgone/lifecycle/suspend HTTP/1.1\r\nhost: x\r\nauthorization: SSWS {API_TOKEN}\r\ncontent-length: 0\r\n\r\n"
    );
    let address = org.proxy.url().trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    gate.wait_for(1);
    drop(stream);
    gate.open();
    flowdeck_tests::wait::until("the org to act", || (!org.suspensions().is_empty()).then_some(()));
    assert_eq!(org.with_status("SUSPENDED").len(), 1);
}
