//! The engine against fakes of everything around it: what flows do, seen from outside.
//!
//! Must never sleep or look at the real time.
//! Tests: these.

mod aside;
mod behind;
mod bounds;
mod cards;
mod common;
mod connect;
mod doubt;
mod ends;
mod given;
mod harm;
mod letgo;
mod lifecycle;
mod limits;
mod loops;
mod many;
mod pairs;
mod room;
mod secrets;
mod stopping;
mod tables;
mod waits;
