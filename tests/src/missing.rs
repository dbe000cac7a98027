//! What a test needs of the machine: a program, a library, a folder.
//!
//! Must never let a test pass that did not run, unless the person said so.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::io::Write;

/// Set, and a test without what it needs is named and passed over instead of failing.
pub const ALLOW: &str = "FLOWDECK_ALLOW_MISSING";

/// Where the gate reads what could not run.
const LIST: &str = "FLOWDECK_NOT_RUN";

/// Takes what is there. Where it is not, the test fails with `remedy`; with [`ALLOW`] set it is named on standard
/// error, past the test runner's capture, and `None` lets the test return.
///
/// # Panics
/// Where it is missing and [`ALLOW`] is not set.
pub fn need<T>(what: &str, remedy: &str, found: Option<T>) -> Option<T> {
    let found = need_unless(std::env::var_os(ALLOW).is_some(), what, remedy, found);
    if found.is_none() {
        did_not_run(what);
    }
    found
}

/// Says that this test did not run: to a person, past the test runner's capture, and to the gate, which counts it.
pub fn did_not_run(what: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr().lock(), "did not run: {test}: {what} is missing").ok();
    if let Some(list) = std::env::var_os(LIST) {
        let list = std::fs::OpenOptions::new().append(true).create(true).open(list);
        list.and_then(|mut list| writeln!(list, "{test}: {what} is missing")).ok();
    }
}

/// [`need`], with the person's word in hand.
///
/// # Panics
/// Where it is missing and not `allowed`.
pub fn need_unless<T>(allowed: bool, what: &str, remedy: &str, found: Option<T>) -> Option<T> {
    assert!(
        allowed || found.is_some(),
        "{what} is missing: {remedy}. (With {ALLOW}=1 such tests are named and passed over.)"
    );
    found
}

/// Takes what is there, or ends the test here.
#[macro_export]
macro_rules! need {
    ($found:expr) => {
        match $found {
            Some(found) => found,
            None => return,
        }
    };
}
