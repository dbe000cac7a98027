//! What started a run (input and event): stored once beside its record where it is large.
//!
//! Must never be written again with each commit, nor stay where the flow keeps no data.
//! Tests: `tests/driver/given.rs`.

use flowdeck_model::Fields;
use serde::{Deserialize, Serialize};

use super::api::EngineError;
use super::inner::Inner;
use super::live::rough_size;
use super::seal;
use crate::ports::Space;
use crate::wire::record::RunView;
use crate::wire::{self, WireError, keys};

/// From this size on (roughly, in bytes) it has a key of its own; below, a second key would cost more than it spares.
const LARGE_BYTES: usize = 4 << 10;

#[derive(Serialize, Deserialize)]
struct Given {
    input: Fields,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Fields>,
}

/// Whether it is large.
pub(super) fn is_large(view: &RunView) -> bool {
    let size = |fields: &Fields| rough_size(fields, LARGE_BYTES);
    size(&view.input) + view.event.as_ref().map_or(0, size) >= LARGE_BYTES
}

/// Its stored form.
pub(super) fn encode(view: &RunView) -> Result<Vec<u8>, WireError> {
    wire::encode("input", &Given { input: view.input.clone(), event: view.event.clone() })
}

/// The record that goes with it.
pub(super) fn without(view: &RunView) -> RunView {
    RunView { input: Fields::new(), event: None, given_apart: true, ..view.clone() }
}

impl Inner {
    /// Puts it back into a record as stored. Answers whether it was apart.
    pub(super) async fn put_back_given(&self, view: &mut RunView) -> Result<bool, EngineError> {
        if !std::mem::take(&mut view.given_apart) {
            return Ok(false);
        }
        let bytes = self.parts.store.get(Space::Chunks, &keys::given(view.id)).await?;
        let bytes = bytes.ok_or_else(|| WireError { what: "input", cause: "it is missing".into() })?;
        let given: Given = wire::decode("input", &self.open(view.id, seal::GIVEN, bytes)?)?;
        (view.input, view.event) = (given.input, given.event);
        Ok(true)
    }
}
