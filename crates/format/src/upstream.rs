//! What a card can refer to, with types: the names in scope where it stands.
//!
//! Must never name what `check` would refuse there.
//! Tests: `tests/upstream.rs`.

use flowdeck_model::{CardId, Catalogue, FieldType, FlowName};

use crate::link::{Load, Trail};
use crate::{Checked, Source};

/// A name that mappings of a card can begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name: a card's id, a loop's, `input`, `event`, `error`, `run`.
    pub name: String,
    /// What stands behind it.
    pub kind: FieldType,
    /// Whether it may have more than its type tells.
    pub open: bool,
}

/// The card whose scope is wanted, and the scope once the check has come by.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) flow: Option<FlowName>,
    pub(crate) card: CardId,
    pub(crate) seen: Option<Vec<Upstream>>,
}

/// Reads a file as [`crate::read_with`] does, and tells what one of its cards can refer to, the nearest last. Nothing
/// where the file cannot be read so far that its cards are checked, or has no such card.
#[must_use]
pub fn read_upstream(
    source: &Source,
    catalogue: &dyn Catalogue,
    load: &Load<'_>,
    flow: Option<&FlowName>,
    card: &CardId,
) -> (Checked, Vec<Upstream>) {
    let mut probe = Probe { flow: flow.cloned(), card: card.clone(), seen: None };
    let mut trail = Trail { load, files: Vec::new(), count: 0 };
    let checked = crate::read_on(source, Some(catalogue), &mut trail, Some(&mut probe));
    (checked, probe.seen.unwrap_or_default())
}
