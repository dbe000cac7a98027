//! Actions against servers on loopback: requests as they should be, answers read, pages, errors, doubt.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

mod errors;
mod http;
mod okta;
mod pages;
mod support;
