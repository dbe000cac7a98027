//! The words and defaults that reading, printing and the schema share.
//!
//! Must never differ between them: this is their only place.
//! Tests: `tests/round_trip.rs`.

pub(crate) use super::cards::{IN_DOUBT, ON_ERROR, ROUNDS_MAX};
pub(crate) use super::fields::{COLUMN_WORDS, RETRY_FACTOR, RETRY_PAUSE_MAX_MS, TYPE_WORDS};
pub(crate) use super::flows::{ACCESS, METHODS, MISSED, OVERLAP, WHEN_NOT_CONNECTED};
