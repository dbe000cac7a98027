//! The people of the test org: who is there, when they signed in last, and who should be suspended for it.
//!
//! Must never depend on today's date in a way that a week more or less changes.
//! Tests: `tests/tests/e2e/suspend.rs`.

use crate::clock::days_ago;

/// Whoever may administer.
pub const ADMIN: &str = "ada.admin@acme.test";
/// Another account of the same org.
pub const OTHER: &str = "otto.other@acme.test";

/// One person of the org.
#[derive(Debug, Clone)]
pub struct Person {
    /// Okta's id.
    pub id: String,
    /// Sign-in name and e-mail.
    pub login: String,
    /// When they signed in last; `None` is never.
    pub last_login: Option<String>,
    /// When the account was made.
    pub created: String,
    /// Whether `suspend-inactive-users` should suspend them.
    pub idle: bool,
}

impl Person {
    fn new(name: &str, seen_days: Option<i64>, made_days: i64) -> Self {
        Self {
            id: format!("00u{}", name.replace('.', "")),
            login: format!("{name}@acme.test"),
            last_login: seen_days.map(days_ago),
            created: days_ago(made_days),
            idle: seen_days.unwrap_or(made_days) > 90,
        }
    }
}

/// The usual org: the two who administer, and everybody that a rule about idle people must tell apart.
#[must_use]
pub fn usual() -> Vec<Person> {
    vec![
        Person::new("ada.admin", Some(1), 900),
        Person::new("otto.other", Some(2), 800),
        Person::new("fay.fresh", Some(3), 400),
        Person::new("gus.gone", Some(200), 900),
        Person::new("hal.gone", Some(120), 500),
        Person::new("ida.gone", Some(1000), 2000),
        Person::new("kim.lately", Some(60), 700),
        Person::new("lou.never", None, 300),
        Person::new("mia.justcame", None, 4),
    ]
}

/// The two who administer and `n` others, who have all been idle for long.
#[must_use]
pub fn idle(n: usize) -> Vec<Person> {
    let two = usual().into_iter().take(2);
    two.chain((0..n).map(|i| Person::new(&format!("idle.person{i:04}"), Some(300 + i as i64), 900))).collect()
}
