//! Walks every flow of the playground over HTTP, as a stranger's client would, one theme a file.
//!
//! Must never reach beyond loopback, nor wait for real time: the clock is moved by hand.
//! Tests: this is the test.

mod api;
mod consent;
mod device;
mod folder;
mod guards;
mod hooks;
mod pages;
mod support;
mod tokens;
