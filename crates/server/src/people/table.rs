//! Which role may use which route: one table, and what is not in it nobody may use.
//!
//! Must never have a row that lets anyone in but for the doors by which people come in.
//! Tests: `tests/people_guard.rs` walks the routes of the real router.

use flowdeck::people::Area::{self, Connections, Flows, People, Runs, Tables};
use flowdeck::people::Role;
use http::Method;

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The method.
    pub method: &'static str,
    /// The route, as it is declared.
    pub path: &'static str,
    /// The least role; `None`: anyone, who has not signed in either.
    pub role: Option<Role>,
    /// The part of the API, for tokens with scopes.
    pub area: Area,
    /// Only a person who signed in, no token: what a token could use to make itself last longer.
    pub in_person: bool,
    /// A page or form of ours instead of JSON.
    pub is_page: bool,
}

const fn viewer(method: &'static str, area: Area, path: &'static str) -> Rule {
    Rule { method, path, role: Some(Role::Viewer), area, in_person: false, is_page: false }
}

const fn builder(method: &'static str, area: Area, path: &'static str) -> Rule {
    Rule { role: Some(Role::Builder), ..viewer(method, area, path) }
}

const fn administrator(method: &'static str, area: Area, path: &'static str) -> Rule {
    Rule { role: Some(Role::Administrator), ..viewer(method, area, path) }
}

const fn anyone(method: &'static str, path: &'static str) -> Rule {
    Rule { role: None, ..viewer(method, People, path) }
}

const fn in_person(rule: Rule) -> Rule {
    Rule { in_person: true, ..rule }
}

const fn page(rule: Rule) -> Rule {
    Rule { is_page: true, ..rule }
}

/// Every route.
pub const RULES: &[Rule] = &[
    viewer("GET", Flows, "/v1/about"),
    viewer("GET", Flows, "/v1/flows"),
    builder("POST", Flows, "/v1/flows"),
    builder("POST", Flows, "/v1/flows/check"),
    viewer("GET", Flows, "/v1/flows/check"),
    viewer("GET", Flows, "/v1/flows/{name}"),
    builder("POST", Flows, "/v1/flows/{name}/switch"),
    builder("POST", Runs, "/v1/flows/{name}/start"),
    builder("POST", Flows, "/v1/preflight"),
    builder("POST", Connections, "/v1/prompts/raise"),
    builder("POST", Runs, "/v1/runs"),
    viewer("GET", Runs, "/v1/runs"),
    viewer("GET", Runs, "/v1/runs/{id}"),
    viewer("GET", Runs, "/v1/runs/{id}/entries"),
    viewer("GET", Runs, "/v1/runs/{id}/wait"),
    viewer("GET", Runs, "/v1/runs/{id}/events"),
    builder("POST", Runs, "/v1/runs/{id}/cancel"),
    builder("POST", Runs, "/v1/runs/{id}/resume"),
    builder("POST", Runs, "/v1/runs/{id}/retry"),
    builder("POST", Runs, "/v1/runs/{id}/signal"),
    builder("POST", Runs, "/v1/runs/{id}/approve"),
    builder("POST", Runs, "/v1/runs/{id}/reject"),
    builder("POST", Runs, "/v1/runs/{id}/settle"),
    builder("POST", Flows, "/v1/rehearsals"),
    viewer("GET", Connections, "/v1/prompts"),
    viewer("GET", Connections, "/v1/prompts/{id}"),
    builder("POST", Connections, "/v1/prompts/{id}/use"),
    builder("POST", Connections, "/v1/prompts/{id}/close"),
    builder("POST", Connections, "/v1/bindings"),
    builder("POST", Connections, "/v1/attempts"),
    // What an attempt shows lets somebody go on with it.
    builder("GET", Connections, "/v1/attempts/{id}"),
    builder("POST", Connections, "/v1/attempts/{id}/poll"),
    builder("POST", Connections, "/v1/attempts/{id}/paste"),
    builder("POST", Connections, "/v1/attempts/{id}/confirm"),
    viewer("GET", Connections, "/v1/connections"),
    viewer("GET", Connections, "/v1/connections/{id}"),
    builder("DELETE", Connections, "/v1/connections/{id}"),
    builder("POST", Connections, "/v1/connections/{id}/test"),
    builder("POST", Connections, "/v1/connections/{id}/rename"),
    builder("POST", Connections, "/v1/connections/{id}/switch"),
    viewer("GET", Connections, "/v1/hooks"),
    administrator("GET", People, "/v1/audit"),
    viewer("GET", Flows, "/v1/apps"),
    viewer("GET", Flows, "/v1/apps/{app}"),
    viewer("GET", Flows, "/v1/cards"),
    viewer("GET", Flows, "/v1/cards/{family}/{name}"),
    viewer("GET", Tables, "/v1/tables"),
    // It reads and writes.
    builder("POST", Tables, "/v1/tables/op"),
    viewer("GET", Tables, "/v1/tables/{name}"),
    viewer("GET", Tables, "/v1/tables/{name}/csv"),
    builder("POST", Tables, "/v1/tables/{name}/csv"),
    viewer("GET", People, "/v1/me"),
    in_person(viewer("POST", People, "/v1/me/password")),
    administrator("GET", People, "/v1/users"),
    in_person(administrator("POST", People, "/v1/users")),
    in_person(administrator("DELETE", People, "/v1/users/{name}")),
    in_person(administrator("POST", People, "/v1/users/{name}/role")),
    in_person(administrator("POST", People, "/v1/users/{name}/password")),
    in_person(administrator("POST", People, "/v1/users/{name}/disable")),
    in_person(administrator("POST", People, "/v1/users/{name}/enable")),
    // One's own; an administrator's are everybody's.
    viewer("GET", People, "/v1/tokens"),
    in_person(viewer("POST", People, "/v1/tokens")),
    in_person(viewer("DELETE", People, "/v1/tokens/{id}")),
    anyone("POST", "/v1/setup"),
    anyone("POST", "/v1/login"),
    in_person(viewer("POST", People, "/v1/logout")),
    // It only leads on.
    page(anyone("GET", "/")),
    page(anyone("GET", "/setup")),
    page(anyone("POST", "/setup")),
    page(anyone("GET", "/login")),
    page(anyone("POST", "/login")),
    page(in_person(viewer("GET", People, "/account"))),
    page(in_person(viewer("POST", People, "/account/password"))),
    page(in_person(viewer("POST", People, "/logout"))),
    page(in_person(builder("GET", Connections, "/connect"))),
    page(in_person(builder("GET", Connections, "/connect/{id}"))),
    page(in_person(builder("POST", Connections, "/connect/{id}"))),
    // Only who began the attempt that it answers gets further.
    page(in_person(builder("GET", Connections, "/oauth/callback/{app}"))),
];

/// What the table says of a route.
pub(super) enum Says {
    Rule(&'static Rule),
    /// The route is there, but not with this method.
    OtherMethod,
    Nothing,
}

pub(super) fn says(method: &Method, path: &str) -> Says {
    // A HEAD is a GET whose body stays away.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut known = false;
    for rule in RULES.iter().filter(|rule| rule.path == path) {
        if rule.method == method {
            return Says::Rule(rule);
        }
        known = true;
    }
    if known { Says::OtherMethod } else { Says::Nothing }
}
