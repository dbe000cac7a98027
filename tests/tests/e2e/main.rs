//! End-to-end tests: the real binary against an Okta org that others wrote, one file a theme.
//!
//! Must never share an org, a data folder or a port between tests.
//! Tests: these are they; `docs/testing.md` says what each file proves.

mod api_token;
mod choice;
mod doubt;
mod event;
mod flows;
mod harness;
mod many;
mod races;
mod restart;
mod story;
mod suspend;
mod tokens;
mod two;
