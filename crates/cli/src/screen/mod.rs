//! Screens as text: each a pure function of what it shows.
//!
//! Must never print, ask or look anything up.
//! Tests: beside each screen, with golden files.

pub(crate) mod connections;
pub(crate) mod dry;
pub(crate) mod flows;
pub(crate) mod markdown;
pub(crate) mod pace;
pub(crate) mod preflight;
pub(crate) mod prompt;
pub(crate) mod result;
pub(crate) mod runs;
pub(crate) mod steps;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod tests;

#[cfg(test)]
mod golden;
