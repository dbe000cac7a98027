//! Seals what a run keeps in the store while it lives, where its values are secret, and every message to a run.
//!
//! Must never pass a sealed value on unopened.
//! Tests: `tests/driver/secrets.rs`.

use flowdeck_model::RunId;

use super::inner::Inner;
use super::live::Live;
use crate::wire::{SEALED, WireError};

/// Names of sealed values: a value opens only under its own.
pub(super) const RECORD: &str = "record";
pub(super) const GIVEN: &str = "input";
pub(super) const STATE: &str = "state";
pub(super) const MESSAGE: &str = "message";

pub(super) fn value(number: u32) -> String {
    format!("value {number}")
}

pub(super) fn collected(frame: u32, number: u32) -> String {
    format!("collected {frame} {number}")
}

impl Inner {
    pub(super) fn seal(&self, run: RunId, what: &str, plain: &[u8]) -> Vec<u8> {
        let mut out = vec![SEALED];
        out.extend(self.parts.vault.seal(run, what, plain));
        out
    }

    /// The value itself, where it was sealed.
    pub(super) fn open(&self, run: RunId, what: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, WireError> {
        self.open_as(run, what, what, bytes)
    }

    pub(super) fn open_as(
        &self,
        run: RunId,
        name: &str,
        what: &'static str,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, WireError> {
        match bytes.split_first() {
            Some((&SEALED, sealed)) => {
                self.parts.vault.open(run, name, sealed).map_err(|cause| WireError { what, cause })
            }
            _ => Ok(bytes),
        }
    }
}

impl Live {
    /// Sealed where the run's values are secret; as it is where they are not.
    pub(super) fn sealed(&self, what: &str, plain: Vec<u8>) -> Vec<u8> {
        if self.program.seals() { self.inner.seal(self.view.id, what, &plain) } else { plain }
    }
}
