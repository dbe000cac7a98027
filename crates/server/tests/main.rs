//! Every test of this crate at its border, in one program: one to link instead of one a file.
//!
//! Must never miss a file of this folder (`cargo xtask tidy` compares).
//! Tests: they are the tests.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod api;
mod callback;
mod connect_ends;
mod connect_pages;
mod edge;
mod flows;
mod hooks;
mod people;
mod people_guard;
mod people_tcp;
mod people_ways;
mod session;
mod support;
mod watching;
