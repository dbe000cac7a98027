//! Drives runs: feeds the machine events, commits, and carries its effects out.
//!
//! Must never decide what a run does next (the machine does), nor act before the commit that allows it.
//! Tests: `tests/driver`.

mod accept;
pub mod api;
mod aside;
mod asks;
mod behind;
mod commit;
mod drive;
mod effects;
pub mod engine;
mod given;
mod inbox;
mod inner;
mod live;
mod load;
mod many;
mod reads;
mod schedule;
mod seal;
mod tables;
mod views;
mod whole;
