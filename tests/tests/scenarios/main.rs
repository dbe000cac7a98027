//! Scenarios end to end: the real program runs exports and native flows against an Okta org, Slack, Google, GitHub and
//! Microsoft that others wrote, connected through their OAuth pages.
//!
//! Must never copy a sample: flows are made here, or read from the corpus beside the checkout.
//! Tests: these are they; `docs/testing.md` says what each file proves.

mod code;
mod errors;
mod export;
mod google;
mod loops;
mod microsoft;
mod newcomers;
mod samples;
mod seeds;
