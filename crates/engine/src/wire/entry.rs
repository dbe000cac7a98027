//! History: what happened in a run, one entry after the other, packed into blocks.
//!
//! Must never hold a secret, nor values of flows that keep no data.
//! Tests: below.

use flowdeck_model::connect::PromptReason;
use flowdeck_model::{CardName, ConnectionId, Fault, Fields, FlowHash, FlowName, Millis, PromptId, RunId, StepPath};
use serde::{Deserialize, Serialize};

use super::WireError;

/// One journal record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the run's history, from 1, without gaps.
    #[serde(rename = "s")]
    pub seq: u64,
    /// When.
    #[serde(rename = "t")]
    pub at: Millis,
    /// The step; the root path for the run itself.
    #[serde(rename = "p")]
    pub path: StepPath,
    /// What happened.
    #[serde(rename = "w")]
    pub what: EntryKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The run was accepted.
    RunStarted {
        /// The flow.
        flow: FlowName,
        /// Its version.
        hash: FlowHash,
    },
    /// An action begins (attempt 1) or is repeated.
    StepStarted {
        /// The card.
        card: CardName,
        /// From 1.
        attempt: u32,
    },
    /// A step ended well.
    StepFinished {
        /// The card, or the word of a control card.
        card: String,
        /// Its outputs; `None` where the flow keeps no data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<Fields>,
    },
    /// A page came of the action whose pages a loop works through.
    PageCame {
        /// The action.
        card: CardName,
        /// The page; `None` where the flow keeps no data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<Fields>,
    },
    /// An attempt or a step failed.
    StepFailed {
        /// The card, or the word of a control card.
        card: String,
        /// Why.
        fault: Fault,
        /// When it is repeated by itself; `None` where it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_at: Option<Millis>,
    },
    /// A write is about to be sent.
    Intent(Intent),
    /// The step waits.
    Waiting(WaitReason),
    /// The step goes on.
    Resumed,
    /// It is not known whether the write happened.
    InDoubt {
        /// Why not.
        fault: Fault,
        /// Whether a person must decide.
        ask: bool,
    },
    /// A write in doubt was settled.
    Settled {
        /// `happened`, `did_not`, `give_up`.
        how: String,
        /// `person` or `look_up`.
        by: String,
    },
    /// A child run was started.
    ChildStarted {
        /// The child.
        run: RunId,
    },
    /// A person or program asked for something.
    Asked {
        /// `cancel`, `resume`, `retry`, `signal NAME`.
        what: String,
    },
    /// The run ended or expired.
    RunEnded {
        /// How.
        status: super::record::Status,
        /// Why, where it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
}

impl EntryKind {
    /// Takes out what may hold values of the run, for flows that keep no data.
    pub fn redact(&mut self) {
        match self {
            Self::StepFinished { outputs, .. } | Self::PageCame { outputs, .. } => *outputs = None,
            Self::StepFailed { fault, .. } | Self::InDoubt { fault, .. } => redact_fault(fault),
            Self::RunEnded { fault, .. } => fault.iter_mut().for_each(redact_fault),
            Self::Waiting(WaitReason::Approval { message } | WaitReason::InDoubt { message, .. }) => {
                REDACTED.clone_into(message);
            }
            _ => {}
        }
    }
}

const REDACTED: &str = "not kept: the flow keeps no data";

/// Leaves of a fault only its code, status and remedy.
pub fn redact_fault(fault: &mut Fault) {
    REDACTED.clone_into(&mut fault.message);
    fault.body = flowdeck_model::Value::Null;
}

/// A write that is about to be sent; durable before it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The card.
    pub card: CardName,
    /// From 1.
    pub attempt: u32,
    /// The same in every attempt until a person retries the step.
    pub idempotency_key: String,
    /// When the attempt gives up.
    pub deadline: Millis,
    /// SHA-256 (hex) of the rendered request.
    pub request_hash: String,
    /// The connection.
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// Generation of its grant.
    #[serde(default)]
    pub generation: u64,
    /// The verified account.
    #[serde(default)]
    pub subject: Option<String>,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A connection.
    Connection {
        /// The prompt that asks for it.
        prompt: PromptId,
        /// Why.
        reason: PromptReason,
    },
    /// A person's decision.
    Approval {
        /// What is asked.
        message: String,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: String,
    },
    /// A point in time.
    Time {
        /// When.
        until: Millis,
    },
    /// A pause before an automatic repetition.
    Retry {
        /// When.
        until: Millis,
    },
    /// A person must say whether a write happened.
    InDoubt {
        /// The card.
        card: CardName,
        /// What is known.
        message: String,
    },
}

impl WaitReason {
    /// When it ends by itself; `None` where somebody has to do something.
    #[must_use]
    pub fn until(&self) -> Option<Millis> {
        match self {
            Self::Time { until } | Self::Retry { until } => Some(*until),
            Self::Connection { .. } | Self::Approval { .. } | Self::Signal { .. } | Self::InDoubt { .. } => None,
        }
    }
}

/// Packs entries that were committed together.
///
/// # Errors
/// [`WireError`] where a value cannot be written.
pub fn encode_block(entries: &[Entry]) -> Result<Vec<u8>, WireError> {
    super::encode("history", &entries)
}

/// Unpacks what [`encode_block`] packed.
///
/// # Errors
/// [`WireError`] for anything else.
pub fn decode_block(bytes: &[u8]) -> Result<Vec<Entry>, WireError> {
    super::decode("history", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_version_1_can_be_read_for_ever() {
        let stored = "\u{1}[{\"s\":1,\"t\":5,\"p\":\"\",\"w\":{\"asked\":{\"what\":\"cancel\"}}},{\"s\":2,\"t\":6,\"p\":\"a[3].b\",\"w\":\"resumed\"}]";
        let entries = decode_block(stored.as_bytes()).unwrap();
        assert_eq!(entries[1].path.to_string(), "a[3].b");
        assert_eq!(encode_block(&entries).unwrap(), stored.as_bytes());
        assert!(decode_block(b"\x02[]").unwrap_err().to_string().contains("version 2"));
        assert!(decode_block(b"").is_err());
    }
}
