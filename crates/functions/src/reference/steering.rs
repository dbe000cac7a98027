//! What was decided about the cards that steer flows: the engine does them, the reference tells of them.
//!
//! Must never promise what no test of the engine shows; each names its test's subject in `docs/runs.md` or
//! `docs/flow-files.md`.
//! Tests: `tests/reference.rs` checks the form.

use crate::Decision;

/// A decision about a card that steers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steering {
    /// The card's name in exports.
    pub card: &'static str,
    /// What was decided.
    pub decision: Decision,
}

const fn on(card: &'static str, question: &'static str, answer: &'static str) -> Steering {
    Steering { card, decision: Decision { question, answer } }
}

/// The decisions.
#[rustfmt::skip]
pub const STEERING: &[Steering] = &[
    on("list/each", "What happens to items that are under way when one fails?", "They are ended in order before the card fails; no new ones begin."),
    on("list/asyncEach", "Which result has an item that failed?", "Null in the given lists; the loop's `errors` has it with its `index`."),
    on("list/map", "What is the element of an item that ends by Continue If?", "Null, so that the list keeps its length."),
    on("control/continueIf", "What does it end?", "The round of a loop, the branch of an else-if, the try, or the flow; a lane of `if` is none of these."),
    on("control/returnRaw", "What does it end inside a container?", "The flow, as Return Raw answers the caller."),
    on("control/tryCatch", "What are `method`, `flo` and `execution` of the error?", "The ids of the card and the flow here, and the run's id. Where a helper failed, the card that called it: its error is that card's error. The import report has the ids of the export."),
    on("control/throw", "What does an error policy that runs another flow do?", "It runs the flow with the error and the export's names of the caller; then the flow fails with that same error."),
    on("control/throw", "What does an error policy that returns values do?", "The flow fails; the values, `message` among them, are fields of its error."),
    on("control/callable", "What becomes of a secret that an export holds as a constant?", "An input of the flow, given when it starts; who calls the flow hands it on."),
    on("control/until", "What if the time has passed?", "The flow goes on at once."),
];
