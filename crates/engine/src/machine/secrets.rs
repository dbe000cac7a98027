//! Which values of a program derive from secrets: worked out once from its mappings, before anything runs.
//!
//! A value is secret where its field is declared so: an input of a flow, an output of a card. What is mapped from it is
//! secret, and so is every output of a function or control card that it goes into; a function with a secret input of its
//! own gives secret outputs too. What an app answers is not: only the outputs that its card declares. Must never miss a
//! flow of values through mappings; what a *condition* lets through (which lane ran) is not followed.
//! Tests: `tests/driver/secrets.rs`.

use std::collections::{BTreeSet, HashMap};

use flowdeck_model::mapping::{PathPart, Reference};
use flowdeck_model::{CardRole, Fault, FaultCode, Fields, FlowName, Value};

use super::program::{BlockId, Node, Program};
use crate::wire::entry::{EntryKind, WaitReason};

mod analysis;

pub use analysis::analyse;
use analysis::secret_keys;

/// Stands where a value was.
pub const REDACTED: &str = "redacted: it derives from a secret";

/// A shorter secret text is not looked for in other fields: it may be any word.
const TOLD_BYTES_MIN: usize = 8;

/// What of some named values is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Taint {
    /// Nothing.
    #[default]
    None,
    /// These keys.
    Keys(BTreeSet<String>),
    /// All of it.
    All,
}

impl Taint {
    fn of(keys: impl IntoIterator<Item = String>) -> Self {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        if keys.is_empty() { Self::None } else { Self::Keys(keys) }
    }

    fn when(tainted: bool) -> Self {
        if tainted { Self::All } else { Self::None }
    }

    fn key(key: &str, tainted: bool) -> Self {
        if tainted { Self::of([key.to_owned()]) } else { Self::None }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, other) | (other, Self::None) => other,
            (Self::Keys(a), Self::Keys(b)) => Self::Keys(a.into_iter().chain(b).collect()),
        }
    }

    fn is_some(&self) -> bool {
        *self != Self::None
    }

    fn covers(&self, reference: &Reference) -> bool {
        match (self, reference.path.first()) {
            (Self::None, _) | (Self::Keys(_), Some(PathPart::Index(_))) => false,
            (Self::All, _) | (Self::Keys(_), None) => true,
            (Self::Keys(keys), Some(PathPart::Key(key))) => keys.contains(key),
        }
    }

    /// Puts [`REDACTED`] in the place of what is secret.
    pub fn redact(&self, fields: &mut Fields) {
        let keys: Vec<String> = fields.iter().map(|(key, _)| key.to_owned()).collect();
        let mut told = Vec::new();
        for key in keys {
            let hides = match self {
                Self::None => false,
                Self::Keys(secret) => secret.contains(&key),
                Self::All => true,
            };
            if hides {
                texts_of(fields.get(&key), &mut told);
                fields.set(&key, REDACTED);
            }
        }
        if told.is_empty() {
            return;
        }
        // The same text in another field: an answer as a whole, beside a part of it that is declared secret.
        let keys: Vec<String> = fields.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            if let Some(value) = without(fields.get(&key), &told) {
                fields.set(&key, value);
            }
        }
    }
}

/// What is secret about one card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Card {
    /// Something secret goes into it: its faults and questions may repeat it.
    takes: bool,
    gives: Taint,
}

/// What is secret in a program.
#[derive(Debug, Default, PartialEq)]
pub struct Secrets {
    cards: HashMap<(BlockId, u32), Card>,
    /// Names that a block has besides its cards: items, carried values, errors.
    locals: HashMap<BlockId, HashMap<String, bool>>,
    inputs: HashMap<Option<FlowName>, Taint>,
    results: HashMap<Option<FlowName>, Taint>,
    event: Taint,
    /// There are no secrets at all.
    none: bool,
    /// It did not settle: everything is.
    all: bool,
}

impl Secrets {
    /// Whether any secret may come into a run.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.none
    }

    /// What is secret of a card's outputs.
    #[must_use]
    pub fn outputs(&self, block: BlockId, at: u32) -> Taint {
        if self.all {
            return Taint::All;
        }
        self.cards.get(&(block, at)).map(|c| c.gives.clone()).unwrap_or_default()
    }

    /// What is secret of a page that a loop works through: what its action declares.
    fn page(&self, program: &Program, block: BlockId, at: u32) -> Taint {
        let declared = program.node(block, at).and_then(|n| n.decl.as_ref()).map(|d| secret_keys(&d.outputs));
        if self.all { Taint::All } else { declared.unwrap_or_default() }
    }

    /// Whether a fault or question of a card may repeat something secret.
    #[must_use]
    pub fn takes(&self, block: BlockId, at: u32) -> bool {
        self.all || self.cards.get(&(block, at)).is_some_and(|c| c.takes)
    }

    /// Whether a card's fault must not be shown. An app's own words are the app's; those about an input may repeat it.
    #[must_use]
    pub fn hides_fault(&self, program: &Program, block: BlockId, at: u32, code: FaultCode) -> bool {
        let ours = matches!(code, FaultCode::BadInput | FaultCode::BadType | FaultCode::BadMapping);
        self.takes(block, at) && (ours || !program.node(block, at).is_some_and(is_action))
    }

    /// What is secret of the inputs of the flow (or of a helper).
    #[must_use]
    pub fn inputs(&self, helper: Option<&FlowName>) -> Taint {
        if self.all { Taint::All } else { self.inputs.get(&helper.cloned()).cloned().unwrap_or_default() }
    }

    /// What is secret of what the flow (or a helper) returns.
    #[must_use]
    pub fn results(&self, helper: Option<&FlowName>) -> Taint {
        if self.all { Taint::All } else { self.results.get(&helper.cloned()).cloned().unwrap_or_default() }
    }

    /// What is secret of the event's fields.
    #[must_use]
    pub fn event(&self) -> Taint {
        if self.all { Taint::All } else { self.event.clone() }
    }

    /// Takes out of an entry about a card what is secret.
    pub fn hide(&self, program: &Program, block: BlockId, at: u32, what: &mut EntryKind) {
        if self.none {
            return;
        }
        match what {
            EntryKind::StepFinished { outputs: Some(outputs), .. } => self.outputs(block, at).redact(outputs),
            EntryKind::PageCame { outputs: Some(outputs), .. } => self.page(program, block, at).redact(outputs),
            EntryKind::StepFailed { fault, .. } | EntryKind::InDoubt { fault, .. }
                if self.hides_fault(program, block, at, fault.code) =>
            {
                hide_fault(fault);
            }
            EntryKind::Waiting(reason) if self.takes(block, at) => hide_wait(reason),
            _ => {}
        }
    }
}

/// Texts of a secret value that are long enough to be told from others.
fn texts_of(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= TOLD_BYTES_MIN && text != REDACTED => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, out)),
        Value::Object(map) => map.values().for_each(|value| texts_of(value, out)),
        _ => {}
    }
}

/// The value with [`REDACTED`] for each text that tells one of these; nothing where none does.
fn without(value: &Value, told: &[String]) -> Option<Value> {
    match value {
        Value::String(text) => told.iter().any(|secret| text.contains(secret.as_str())).then(|| REDACTED.into()),
        Value::Array(items) => {
            let new: Vec<_> = items.iter().map(|item| without(item, told)).collect();
            let any = new.iter().any(Option::is_some);
            any.then(|| items.iter().zip(new).map(|(old, new)| new.unwrap_or_else(|| old.clone())).collect())
        }
        Value::Object(map) => {
            let new: Vec<_> = map.values().map(|value| without(value, told)).collect();
            let any = new.iter().any(Option::is_some);
            let members =
                map.iter().zip(new).map(|((key, old), new)| (key.clone(), new.unwrap_or_else(|| old.clone())));
            any.then(|| Value::Object(members.collect()))
        }
        _ => None,
    }
}

/// Leaves of a fault its code, status and remedy.
pub fn hide_fault(fault: &mut Fault) {
    REDACTED.clone_into(&mut fault.message);
    fault.body = Value::Null;
}

/// Takes out the texts that a flow made.
pub fn hide_wait(reason: &mut WaitReason) {
    match reason {
        WaitReason::Approval { message } => REDACTED.clone_into(message),
        WaitReason::Signal { name } => REDACTED.clone_into(name),
        WaitReason::Connection { .. }
        | WaitReason::Time { .. }
        | WaitReason::Retry { .. }
        | WaitReason::InDoubt { .. } => {}
    }
}

fn is_action(node: &Node) -> bool {
    node.decl.as_ref().is_some_and(|d| d.role != CardRole::Function)
}
