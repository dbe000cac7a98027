//! Checks flows against a catalogue: cards, fields, slots, references, types.
//!
//! Must never refuse what would run: where a type is not known, nothing is said about it.
//! Tests: `tests/diagnostics.rs`.

mod cards;
mod control;
mod cron;
mod flows;
mod lists;
mod scope;
mod values;

use std::collections::HashSet;

use flowdeck_model::{Catalogue, Flow};

use crate::findings::Findings;
use crate::read::{Draft, Places};
use crate::upstream::Probe;

pub(crate) use values::RESERVED;

/// What every check needs.
pub(crate) struct Checker<'a, 'f> {
    text: &'a str,
    catalogue: &'f dyn Catalogue,
    findings: &'f mut Findings,
    /// The flow or helper under way.
    flow: &'f Flow,
    /// The flow whose file part it is: helpers are found there.
    outer: &'f Flow,
    /// All flows of the file.
    file: &'f [Draft<'a>],
    places: &'f Places<'a>,
    slots_used: HashSet<String>,
    /// How many blocks are around the cards under way: what returns there leaves the block, not the flow.
    blocks: usize,
    probe: Option<&'f mut Probe>,
}

/// Checks all flows of a file.
pub(crate) fn check(
    text: &str,
    drafts: &[Draft<'_>],
    catalogue: &dyn Catalogue,
    findings: &mut Findings,
    mut probe: Option<&mut Probe>,
) {
    for draft in drafts {
        let mut used_by_helpers = HashSet::new();
        for (name, helper) in &draft.flow.helpers {
            let Some(places) = draft.helpers.get(name.as_str()) else { continue };
            let used = check_one(
                text,
                drafts,
                &draft.flow,
                helper,
                places,
                catalogue,
                findings,
                HashSet::new(),
                probe.as_deref_mut(),
            );
            if places.slots_inherited {
                used_by_helpers.extend(used);
            }
        }
        check_one(
            text,
            drafts,
            &draft.flow,
            &draft.flow,
            &draft.places,
            catalogue,
            findings,
            used_by_helpers,
            probe.as_deref_mut(),
        );
        flows::cycles(draft, findings);
    }
}

#[allow(clippy::too_many_arguments, reason = "private; the arguments are the parts of one checker")]
fn check_one<'a>(
    text: &'a str,
    file: &[Draft<'a>],
    outer: &Flow,
    flow: &Flow,
    places: &Places<'a>,
    catalogue: &dyn Catalogue,
    findings: &mut Findings,
    slots_used: HashSet<String>,
    probe: Option<&mut Probe>,
) -> HashSet<String> {
    let mut checker = Checker { text, catalogue, findings, flow, outer, file, places, slots_used, blocks: 0, probe };
    checker.flow();
    checker.slots_used
}
