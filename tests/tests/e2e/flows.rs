//! Flows that the tests run, beside the samples in `flows/`.
//!
//! Must never be longer than what its test is about.
//! Tests: they are used in all files.

/// Suspends everybody but the two who administer, so many at once.
pub(crate) fn suspend_all(slot: &str, at_once: u8) -> String {
    format!(
        r#"
flow: suspend-all
slots:
  okta: {slot}
cards:
  - id: now
    card: date/now
  - id: active
    card: okta/listUsersWithSearch
    with: {{ Custom Search Criteria: idle.person }}
  - id: each_user
    for_each: ${{active.Users}}
    as: user
    concurrency: {at_once}
    cards:
      - id: suspend
        card: okta/suspendUser
        with: {{ id: "${{user.ID}}" }}
        timeout: 2s
  - return: {{ count: "${{each_user.count}}" }}
"#
    )
}

/// The same over every page of the list, as the pages come.
pub(crate) const SUSPEND_ALL_PAGES: &str = r#"
flow: suspend-all-pages
slots:
  okta: { app: okta }
cards:
  - id: each_user
    for_each:
      pages: { card: okta/listUsersWithSearch, slot: okta, with: { Custom Search Criteria: idle.person } }
    as: user
    concurrency: 4
    cards:
      - id: suspend
        card: okta/suspendUser
        with: { id: "${user.ID}" }
"#;

/// Makes one group: a write that is asked about where it is in doubt.
pub(crate) const MAKE_GROUP: &str = r#"
flow: make-group
slots:
  okta: { app: okta }
cards:
  - id: now
    card: date/now
  - id: make
    card: okta/createGroup
    with: { Name: Night shift, Description: Made by a flow. }
    timeout: 2s
    in_doubt: ask
  - return: { id: "${make.ID}" }
"#;

/// Counts groups: another flow of the same app.
pub(crate) fn count_groups(name: &str, slot: &str) -> String {
    format!(
        r#"
flow: {name}
slots:
  okta: {slot}
cards:
  - id: found
    card: okta/searchGroups
  - return: {{ groups: "${{size(found.Groups)}}" }}
"#
    )
}
