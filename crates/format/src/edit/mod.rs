//! Changes of a flow file that leave the rest of it byte for byte: a card in a list, a slot in the flow.
//!
//! Must never give out a text that reads as anything but the old flow with what was added.
//! Tests: `tests/edit.rs`.

mod change;
mod ids;
mod json;
mod lines;
mod place;
mod yaml;

use std::ops::Range;

use flowdeck_model::{AppName, CardId, FlowName, Nickname, SlotName, Value};
use serde_json::{Map, json};

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::fmt::format_text;
use crate::tree::{self, Node};
use crate::{Source, order, read};

pub use ids::free_id;

/// Where in its list a card goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Spot {
    /// At the end; before a last card behind which nothing can run.
    #[default]
    End,
    /// Before all others.
    First,
    /// After a card, wherever that is.
    After(CardId),
}

/// Where a card goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The flow or helper, where the file holds several.
    pub flow: Option<FlowName>,
    /// A lane of a card (`then`, `catch`, `cards`, `1` for the first branch, a name of `parallel`); the flow's own
    /// list where not given.
    pub lane: Option<(CardId, String)>,
    /// Where in the list. With [`Spot::After`] the lane does not matter.
    pub spot: Spot,
}

/// A slot that is to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSlot {
    /// Its name.
    pub name: SlotName,
    /// Its app.
    pub app: AppName,
    /// The nickname that it suggests.
    pub nickname: Option<Nickname>,
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole new text.
    pub text: String,
    /// Where the new card is in it.
    pub card: Range<usize>,
}

/// Why a card cannot be added.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is not well formed.
    #[error("the file is not well formed")]
    File(Vec<Diagnostic>),
    /// There is no such flow, or several and none was named.
    #[error("{0}")]
    Flow(String),
    /// There is no such card.
    #[error("there is no card `{0}` in this flow")]
    Card(CardId),
    /// The card has no such lane.
    #[error("`{card}` has no lane `{lane}`{known}")]
    Lane {
        /// The card.
        card: CardId,
        /// The lane.
        lane: String,
        /// The lanes that it has, as the end of the sentence.
        known: String,
    },
    /// The text is written in a way that cannot be added to without changing more.
    #[error("this file cannot be added to without changing more of it; `flowdeck fmt --write` first may help")]
    Text,
}

/// Adds a card, and a slot where one is given. `body` holds all of the card's keys but `id`.
///
/// # Errors
/// [`EditError`]: nothing is guessed.
pub fn insert_card(
    source: &Source,
    place: &Place,
    id: &CardId,
    body: &Map<String, Value>,
    slot: Option<&NewSlot>,
) -> Result<Edited, EditError> {
    let mut card = Map::new();
    card.insert("id".into(), id.as_str().into());
    let rank = |key: &str| order::CARD.iter().position(|k| *k == key).unwrap_or(usize::MAX);
    let mut keys: Vec<_> = body.iter().collect();
    keys.sort_by_key(|(key, _)| rank(key));
    card.extend(keys.into_iter().map(|(key, value)| (key.clone(), value.clone())));
    let card = Value::Object(card);

    let mut findings = Findings::default();
    let documents = tree::parse(source, &mut findings);
    if findings.has_errors() {
        return Err(EditError::File(findings.into_diagnostics(&source.text, &documents)));
    }
    let drafts = read::read_documents(&source.text, &documents, None, &mut findings);
    if findings.has_errors() {
        return Err(EditError::File(findings.into_diagnostics(&source.text, &documents)));
    }
    let found = place::find(&drafts, &documents, place)?;
    let mut changes = vec![found.card_change(card)?];
    if let Some(slot) = slot {
        changes.push(found.slot_change(slot.name.as_str(), slot_value(slot)));
    }
    // Texts that end in blank lines of their own want the card behind those.
    [false, true]
        .into_iter()
        .find_map(|behind_blanks| edited(source, &documents, &changes, id, behind_blanks))
        .ok_or(EditError::Text)
}

fn slot_value(slot: &NewSlot) -> Value {
    match &slot.nickname {
        Some(nickname) => json!({ "app": slot.app.as_str(), "nickname": nickname.as_str() }),
        None => json!({ "app": slot.app.as_str() }),
    }
}

/// The text with all changes, where it reads as it should.
fn edited(
    source: &Source,
    documents: &[Node],
    changes: &[change::Change<'_>],
    id: &CardId,
    behind_blanks: bool,
) -> Option<Edited> {
    let is_json = tree::is_json(source);
    let mut pieces = Vec::new();
    for change in changes {
        pieces.push(if is_json {
            json::piece(&source.text, change)?
        } else {
            yaml::piece(&source.text, change, behind_blanks)?
        });
    }
    let text = lines::apply(&source.text, pieces)?;
    let expected = change::applied(documents, changes)?;
    let mut text = same(source, &text, &expected).then_some(text)?;
    // A tidy file stays tidy: a list in brackets may have become too long for its line.
    if format_text(source).is_ok_and(|tidy| tidy == *source.text) {
        text = format_text(&Source::new(&source.name, &text)).ok()?;
    }
    let card = card_in(source, &text, changes, id)?;
    Some(Edited { text, card })
}

fn same(source: &Source, text: &str, expected: &[Value]) -> bool {
    let mut findings = Findings::default();
    let again = tree::parse(&Source::new(&source.name, text), &mut findings);
    !findings.has_errors() && again.iter().map(Node::to_value).eq(expected.iter().cloned())
}

/// Where the new card is.
fn card_in(source: &Source, text: &str, changes: &[change::Change<'_>], id: &CardId) -> Option<Range<usize>> {
    let mut findings = Findings::default();
    let documents = tree::parse(&Source::new(&source.name, text), &mut findings);
    let node = changes.first()?.added(&documents)?;
    (node.get("id")?.text() == Some(id.as_str())).then(|| node.span.clone())
}
