//! What the services begin with, and the one group of services that all scenarios use in turn.
//!
//! Must never hold two scenarios' things under one name: what one changes no other looks at.
//! Tests: used by all.

use std::sync::{LazyLock, Mutex};

use flowdeck_tests::clock::days_ago;
use flowdeck_tests::missing;
use flowdeck_tests::people::{self, Person};
use flowdeck_tests::stage::Stage;
use flowdeck_tests::suite::Suite;
use serde_json::{Value, json};

/// Mia's account everywhere but at GitHub; the first of each seed.
pub(crate) const MIA: &str = "mia@acme.test";
/// Max's account.
pub(crate) const MAX: &str = "max@acme.test";
/// Mia's account at GitHub.
pub(crate) const MIA_MILL: &str = "mia-mill";
/// People of the stream, more than fit one page of 30.
pub(crate) const STREAM: usize = 34;

// Starting five services takes longer than a scenario, so they are started once. The emulator ends with the process.
static SUITE: LazyLock<Option<Mutex<Suite>>> = LazyLock::new(|| Suite::start(&people(), seed()).map(Mutex::new));

/// The services and a new machine, for this scenario alone; `None` where the npm packages may be missing.
pub(crate) fn stage() -> Option<Stage<'static>> {
    missing::need("npm package emulate", "run `cargo xtask setup`", SUITE.as_ref()).map(Stage::enter)
}

fn person(id: &str, login: String) -> Person {
    Person { id: id.to_owned(), login, last_login: Some(days_ago(5)), created: days_ago(300), idle: false }
}

fn people() -> Vec<Person> {
    let mut all = people::usual();
    all.extend((0..STREAM).map(|i| person(&format!("00ustream{i:03}"), format!("stream.person{i:03}@acme.test"))));
    all.extend((0..4).map(|i| person(&format!("00ulimit{i}"), format!("limit.person{i}@acme.test"))));
    all
}

fn seed() -> Value {
    json!({
        "okta": {
            "groups": [
                { "okta_id": "00gnew", "name": "Newcomers" },
                { "okta_id": "00gstaff", "name": "Staff" },
                { "okta_id": "00gsample", "name": "Sample" },
                { "okta_id": "00gteam", "name": "Team" },
                { "okta_id": "00gtemp", "name": "Temporary" },
            ],
            "apps": [{ "okta_id": "0oapayroll", "name": "payroll", "label": "Payroll" }],
            "group_memberships": [
                { "group_okta_id": "00gstaff", "user_okta_id": "00uidagone" },
                { "group_okta_id": "00gteam", "user_okta_id": "00uidagone" },
                { "group_okta_id": "00gtemp", "user_okta_id": "00ugusgone" },
            ],
        },
        "slack": {
            "team": { "name": "Acme", "domain": "acme" },
            "users": [
                { "name": "mia", "real_name": "Mia Mill", "email": MIA },
                { "name": "fay", "real_name": "Fay Fresh", "email": "fay.fresh@acme.test" },
            ],
            "channels": [{ "name": "welcome" }, { "name": "builds" }, { "name": "calm" }, { "name": "blocks" }, { "name": "lists" }],
        },
        "google": {
            "users": [{ "email": MIA, "name": "Mia Mill" }, { "email": MAX, "name": "Max Moor" }],
            "calendars": [
                { "id": "primary", "user_email": MIA, "summary": "Mia", "primary": true, "selected": true, "time_zone": "UTC" },
            ],
        },
        "github": {
            "users": [
                { "login": MIA_MILL, "name": "Mia Mill", "email": MIA },
                { "login": "max-moor", "name": "Max Moor", "email": MAX },
            ],
            "repos": [
                { "owner": MIA_MILL, "name": "handbook", "auto_init": true },
                { "owner": MIA_MILL, "name": "tracker", "auto_init": true },
            ],
        },
        "microsoft": { "users": [{ "email": MIA, "name": "Mia Mill" }, { "email": MAX, "name": "Max Moor" }] },
    })
}
