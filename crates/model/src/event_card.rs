//! What an event card's options are, before anything runs.
//!
//! Must never evaluate: nothing is there yet that a mapping could refer to.
//! Tests: `crates/flowdeck/tests/hooks.rs`.

use crate::fields::Fields;
use crate::flow::EventCard;
use crate::mapping::Mapping;

impl EventCard {
    /// Its options: known before anything runs.
    #[must_use]
    pub fn options(&self) -> Fields {
        let mut options = Fields::new();
        for (key, mapping) in &self.with {
            if let Mapping::Literal(value) = mapping {
                options.set(key.clone(), value.clone());
            }
        }
        options
    }
}
