//! What was decided about the cards that steer flows, start them or keep rows: the engine does them, the reference tells
//! of them.
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
    on("control/join", "What does an output of a join have that the lane which ran does not feed?", "The value that the export stores for it; null where it stores none."),
    on("control/callable", "What has an input of a helper that its caller does not give?", "Null, not the helper's stored test value."),
    on("control/callable", "What gets a helper of streamed records that picks `Record` or `State` out of its input `Record`?", "Both, one level down in `Record`, as helpers with one input do."),
    on("control/callable", "What do the first day, the last day and the recurrence of a schedule mean?", "They are not kept: the flow runs by its cron fields, and the import report says so."),
    on("control/spawn", "What does a helper without Return give?", "The outputs of the card that ran last; an if with its join is one card."),
    on("control/tryCatch", "Is the status of an error `code` or `statusCode`?", "Both; `errorSummary` of Okta's answers stands at the top and in `body`."),
    on("control/throw", "Which errors does the error policy of a card repeat?", "Those that may pass: rate limits, gateway errors and lost connections, whatever condition the export names."),
    on("list/filter", "Which results of Filter Custom keep an item?", "True, or `true` as text in capitals or small letters, as the only value that the helper gives. Anything else drops the item, and so do several values and Continue If; the import report names a helper that gives several."),
    on("list/find", "When is Find Custom's helper asked no more?", "After the first item for which it says true, or `true` as text; anything else goes on. Items are asked one after the other."),
    on("list/sort", "How does Sort Custom order equal values?", "As they were. Numbers are ordered by size, texts by their characters, and nothing comes last."),
    on("object/process", "Which keys has the new object of Map?", "Those that the helper returns, literally: a dot makes no object inside. Without a `key` nothing is set, and the last value of a key wins."),
    on("list/reduce", "What is the memo after an item that ends by Continue If?", "The one before."),
    on("list/map", "When is an element of Map the value, and when the whole result?", "Where the export declares the list as plain objects, the whole result; else the single value of the result."),
    on("list/asyncEach", "Do the other events of a batch run when one of them fails?", "Yes: each event is a run of its own."),
    on("object/expand", "May a path of Expand cross a list?", "Yes: a part that is a whole number is a position there, in all paths."),
    on("http/accept", "What does an API endpoint answer without Return?", "200 with the outputs of the card that ran last."),
    on("stash/searchRows2", "How do AND and OR of a where-expression bind?", "The word at a term joins it to the next; AND binds more tightly."),
    on("stash/searchRows2", "Does `=` match parts of a text, or other letters of the same word?", "No: the whole text, capitals and small letters apart."),
    on("stash/searchRows2", "How are texts and dates compared in a where-expression?", "By the type of the column: the value is read as that type, and what cannot be read is an error. Null is neither less nor greater."),
    on("stash/searchRows2", "In which order are rows without a sort column?", "As they were added."),
    on("stash/searchRows2", "What of rows beyond 3,500?", "One search gives 3,500 at most; `offset` gives the next."),
    on("stash/createRow", "What has a column that Create Row does not name?", "Its default, which the import writes into the card; else nothing. Rows out of CSV get no defaults."),
    on("stash/createRow", "What is a counter column?", "A number; it does not count by itself."),
    on("stash/updateRow", "What does Update Row do with empty inputs where the card does not say?", "It leaves the cell as it is."),
    on("stash/updateRow", "What does an unknown Row ID do?", "Update Row fails with `not-found`; Read Row gives nulls, Delete Row deletes nothing."),
    on("stash/readTable", "What form has the column schema?", "A list of `{name, type}`, as it was when the table was exported."),
    on("stash/exportToCSV", "Which columns has the CSV text?", "A header and the user's columns in their order, or those that are asked for; system columns only where asked for."),
    on("stash/importFromCSV", "What if a cell does not fit its column?", "The import is an error that names the line."),
];
