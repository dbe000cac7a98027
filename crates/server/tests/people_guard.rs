//! The guard at every route: the table of roles against the real router, other sites' pages, foreign names.
//!
//! Must never leave this process.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::people as support;

use std::collections::BTreeSet;

use flowdeck::people::{Area, Role};
use flowdeck_server::{RULES, Rule};
use support::*;

/// Every method and path that the router knows, as its own description lists them.
fn routes(place: &Place) -> BTreeSet<(String, String)> {
    let text = format!("{:?}", place.router);
    // What follows answers where no route fits.
    let (text, _) = text.split_once("fallback_router").unwrap();
    let mut found = BTreeSet::new();
    let parts: Vec<(&str, &str)> = text.split("RouteId(").skip(1).filter_map(|part| part.split_once("): ")).collect();
    for (id, path) in &parts {
        let Some(path) = path.strip_prefix('"').and_then(|path| path.split('"').next()) else { continue };
        let methods = parts.iter().find(|(other, what)| other == id && what.starts_with("MethodRouter"));
        let Some((_, methods)) = methods else { continue };
        for method in ["get", "delete", "options", "patch", "post", "put", "trace", "connect"] {
            assert!(methods.contains(&format!("{method}: ")), "the router describes itself in another way: {methods}");
            if !methods.contains(&format!("{method}: None")) {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_route_is_in_the_table_and_the_table_has_no_other() {
    let place = empty(None).await;
    let routes = routes(&place);
    assert!(routes.len() > 50, "{routes:?}");
    let rules: BTreeSet<_> = RULES.iter().map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
    assert_eq!(rules.len(), RULES.len(), "a row is there twice");
    let missing: Vec<_> = routes.difference(&rules).collect();
    assert!(missing.is_empty(), "routes without a row: {missing:?}");
    let dead: Vec<_> = rules.difference(&routes).collect();
    assert!(dead.is_empty(), "rows without a route: {dead:?}");
}

#[test]
fn only_the_doors_are_open_and_only_reading_is_for_viewers() {
    let open: Vec<_> = RULES.iter().filter(|rule| rule.role.is_none()).map(|rule| (rule.method, rule.path)).collect();
    let doors = [
        ("POST", "/v1/setup"),
        ("POST", "/v1/login"),
        ("GET", "/"),
        ("GET", "/setup"),
        ("POST", "/setup"),
        ("GET", "/login"),
        ("POST", "/login"),
    ];
    assert_eq!(open, doors);
    let own = ["/v1/me/password", "/v1/tokens", "/v1/tokens/{id}", "/v1/logout", "/logout", "/account/password"];
    for rule in RULES.iter().filter(|rule| rule.role == Some(Role::Viewer) && rule.method != "GET") {
        assert!(own.contains(&rule.path), "a viewer may {} {}", rule.method, rule.path);
    }
    for rule in RULES.iter().filter(|rule| rule.path.starts_with("/v1/users") || rule.path == "/v1/audit") {
        assert_eq!(rule.role, Some(Role::Administrator), "{}", rule.path);
    }
    for rule in RULES.iter().filter(|rule| rule.path.starts_with("/v1/users") && rule.method != "GET") {
        assert!(rule.in_person, "a token may {} {}", rule.method, rule.path);
    }
}

/// The address of a rule with something that is not there in its places.
fn address(rule: &Rule) -> String {
    ["{id}", "{name}", "{app}", "{family}"].iter().fold(rule.path.to_owned(), |path, place| path.replace(place, "zz"))
}

/// What our own page would send, with a body that no handler can read: the guard's verdict is what counts.
async fn tried(place: &Place, rule: &Rule, who: &[(&str, &str)]) -> Answer {
    let kind = if rule.is_page { FORM } else { JSON };
    let headers = [who, &[OWN, MARK, kind]].concat();
    place.call(rule.method, &address(rule), &headers, "{").await
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_says() {
    let place = place().await;
    for (name, role) in [("vera", Role::Viewer), ("bo", Role::Builder), ("ada", Role::Administrator)] {
        let token = place.token(name, role, Vec::new()).await;
        let mut session = place.sign_in(name).await;
        for rule in RULES {
            let may = rule.role.is_none_or(|least| role >= least);
            let answer = tried(&place, rule, &[("cookie", &session)]).await;
            assert_eq!(!answer.is_refused_by_the_guard(), may, "{name} {rule:?}: {answer:?}");
            let answer = tried(&place, rule, &[("authorization", &token)]).await;
            let may = rule.role.is_none() || may && !rule.in_person;
            assert_eq!(!answer.is_refused_by_the_guard(), may, "token of {name} {rule:?}: {answer:?}");
            if rule.path.ends_with("/logout") {
                session = place.sign_in(name).await;
            }
        }
    }
}

#[tokio::test]
async fn nobody_and_who_shows_nonsense_gets_no_further_than_the_doors() {
    let place = place().await;
    for who in [
        &[][..],
        &[("cookie", "flowdeck-8918=nonsense")],
        &[("cookie", "__Host-flowdeck=nonsense")],
        &[("authorization", "Bearer fd_nonsense")],
        &[("authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==")],
        &[("authorization", "Bearer")],
    ] {
        for rule in RULES.iter().filter(|rule| rule.role.is_some()) {
            let answer = tried(&place, rule, who).await;
            let turned_away = answer.status == 401 || rule.is_page && answer.status == 303;
            assert!(turned_away && answer.is_refused_by_the_guard(), "{who:?} {rule:?}: {answer:?}");
            if !rule.is_page {
                assert!(answer.header("content-type") == "application/problem+json");
            }
        }
    }
    let unknown = place.call("GET", "/v1/nowhere", &[], "").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "http.not_found"));
    assert_eq!(place.call("PUT", "/v1/runs", &[], "").await.code(), "http.method");
}

#[tokio::test]
async fn a_token_reaches_only_the_parts_it_is_for() {
    let place = place().await;
    for area in Area::ALL {
        let token = place.token("ada", Role::Administrator, vec![area]).await;
        for rule in RULES.iter().filter(|rule| rule.role.is_some() && !rule.in_person) {
            let answer = tried(&place, rule, &[("authorization", &token)]).await;
            assert_eq!(!answer.is_refused_by_the_guard(), rule.area == area, "{area} {rule:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_passed_over_for_a_cookie() {
    let place = place().await;
    let session = place.sign_in("ada").await;
    let both = [("cookie", session.as_str()), ("authorization", "Bearer fd_wrong")];
    let answer = place.call("GET", "/v1/me", &both, "").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "people.bad_token"));
}

#[tokio::test]
async fn what_another_sites_page_sends_is_refused_at_every_route_that_changes_something() {
    let place = place().await;
    let session = place.sign_in("ada").await;
    let foreign: &[&[(&str, &str)]] = &[
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:3000")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[OWN, ("sec-fetch-site", "cross-site")],
        &[("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
    ];
    for rule in RULES.iter().filter(|rule| rule.method != "GET") {
        let kind = if rule.is_page { FORM } else { JSON };
        let who = ("cookie", session.as_str());
        for said in foreign {
            let headers = [said, &[who, MARK, kind][..]].concat();
            let answer = place.call(rule.method, &address(rule), &headers, "{").await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "people.cross_site"), "{said:?} {rule:?}");
        }
        // A form of any page, in a browser that says nothing about it; a script's request without our header.
        let bare = place.call(rule.method, &address(rule), &[who, kind], "{").await;
        let code = bare.code();
        match (rule.is_page, rule.role.is_some()) {
            (true, _) => assert_eq!(code, "people.cross_site", "{rule:?}"),
            (false, true) => assert_eq!(code, "people.header", "{rule:?}"),
            // Without a session there is nothing to misuse, and a form cannot send JSON.
            (false, false) => {
                let form = place.call(rule.method, &address(rule), &[FORM], "name=ada").await;
                assert_eq!(form.status, 415, "{rule:?}: {form:?}");
            }
        }
    }
    assert_eq!(place.call("GET", "/v1/me", &[("cookie", &session)], "").await.status, 200, "still signed in");
}

#[tokio::test]
async fn what_another_site_wants_to_read_is_refused_but_its_link_to_a_page_opens() {
    let place = place().await;
    let session = place.sign_in("ada").await;
    for rule in RULES.iter().filter(|rule| rule.method == "GET" && rule.role.is_some()) {
        for fetch in ["cross-site", "same-site"] {
            let headers = [("cookie", session.as_str()), ("sec-fetch-site", fetch)];
            let answer = place.call("GET", &address(rule), &headers, "").await;
            assert_eq!(answer.code() == "people.cross_site", !rule.is_page, "{rule:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_at_every_route() {
    let place = place().await;
    let session = place.sign_in("ada").await;
    for rule in RULES {
        for host in ["evil.example", "evil.example:8918", "127.0.0.1", "localhost:80", "192.0.2.1:8918", "-"] {
            let headers = [("host", host), ("cookie", session.as_str()), OWN, MARK, JSON];
            let answer = place.call(rule.method, &address(rule), &headers, "{").await;
            assert_eq!((answer.status, answer.code().as_str()), (421, "people.host"), "{host} {rule:?}");
        }
    }
    let twice = [("host", HOST.1), ("host", "evil.example"), ("cookie", session.as_str())];
    assert_eq!(place.call("GET", "/v1/me", &twice, "").await.status, 421);
    let whole = place.call("GET", "http://evil.example/v1/me", &[("cookie", session.as_str())], "").await;
    assert_eq!(whole.status, 421);
    for host in ["localhost:8918", "[::1]:8918", "LocalHost:8918"] {
        let answer = place.call("GET", "/v1/me", &[("host", host), ("cookie", session.as_str())], "").await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn every_answer_is_careful() {
    let place = place().await;
    let session = place.sign_in("ada").await;
    for rule in RULES {
        for who in [&[][..], &[("cookie", session.as_str())]] {
            let answer = tried(&place, rule, who).await;
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{rule:?}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{rule:?}");
            assert_eq!(answer.header("cache-control"), "no-store", "{rule:?}");
            assert!(["no-referrer", "same-origin"].contains(&answer.header("referrer-policy")), "{rule:?}");
            assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{rule:?}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{rule:?}");
        }
    }
}
