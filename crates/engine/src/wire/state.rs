//! The stored form of a run's resumable state: large values are stored once, beside it.
//!
//! Must never write a large value twice, and never change the state while writing it.
//! Tests: below.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use flowdeck_model::{Fields, Value};
use serde_json::json;

use super::WireError;
use crate::machine::state::RunState;

/// Values of at least this many bytes (roughly) are stored beside the state.
const LARGE_BYTES: usize = 1_024;
const MARK: &str = "$value";

/// Which large values of a run are stored, under which number.
#[derive(Debug, Clone, Default)]
pub struct StoredValues {
    by_address: HashMap<usize, (u32, Arc<Value>)>,
    next: u32,
}

/// What must be written for a state.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The state.
    pub state: Vec<u8>,
    /// Large values that are not stored yet.
    pub new: Vec<(u32, Vec<u8>)>,
    /// Large values that are not needed any more.
    pub gone: Vec<u32>,
}

impl StoredValues {
    /// Numbers of all stored values.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.by_address.values().map(|(n, _)| *n)
    }
}

/// The stored form.
///
/// # Errors
/// [`WireError`] where a value cannot be written.
pub fn encode(state: &mut RunState, stored: &mut StoredValues) -> Result<Encoded, WireError> {
    let mut out = Encoded::default();
    let mut taken: Vec<(usize, Arc<Value>)> = Vec::new();
    let mut used = HashSet::new();
    let mut error = None;
    let mut at = 0;
    state.visit_values(&mut |value| {
        if is_large(value) {
            let address = Arc::as_ptr(value) as usize;
            let number = match stored.by_address.get(&address) {
                Some((number, _)) => *number,
                None => {
                    let number = stored.next;
                    stored.next += 1;
                    match super::encode("value", value.as_ref()) {
                        Ok(bytes) => out.new.push((number, bytes)),
                        Err(e) => error = Some(e),
                    }
                    stored.by_address.insert(address, (number, value.clone()));
                    number
                }
            };
            used.insert(number);
            taken.push((at, std::mem::replace(value, Arc::new(json!({ MARK: number })))));
        }
        at += 1;
    });
    let bytes = super::encode("run state", state);
    let mut back = taken.into_iter().peekable();
    let mut at = 0;
    state.visit_values(&mut |value| {
        if let Some((_, original)) = back.next_if(|(place, _)| *place == at) {
            *value = original;
        }
        at += 1;
    });
    stored.by_address.retain(|_, (number, _)| {
        let keep = used.contains(number);
        if !keep {
            out.gone.push(*number);
        }
        keep
    });
    out.state = bytes?;
    match error {
        Some(error) => Err(error),
        None => Ok(out),
    }
}

/// Reads a state and puts its large values (as stored, by number) back.
///
/// # Errors
/// [`WireError`] for anything else, also where a large value is missing.
pub fn decode(bytes: &[u8], values: &BTreeMap<u32, Vec<u8>>) -> Result<(RunState, StoredValues), WireError> {
    let mut state: RunState = super::decode("run state", bytes)?;
    let mut stored = StoredValues { next: values.keys().last().map_or(0, |n| n + 1), ..StoredValues::default() };
    let mut read: HashMap<u32, Arc<Value>> = HashMap::new();
    let mut error = None;
    state.visit_values(&mut |value| {
        let Some(number) = marked(value) else { return };
        let known = read.get(&number).cloned().map_or_else(
            || {
                let bytes = values.get(&number);
                let missing = || WireError { what: "value", cause: format!("number {number} is missing") };
                bytes.ok_or_else(missing).and_then(|b| super::decode::<Value>("value", b)).map(Arc::new)
            },
            Ok,
        );
        match known {
            Ok(known) => {
                read.insert(number, known.clone());
                *value = known;
            }
            Err(e) => error = Some(e),
        }
    });
    for (number, value) in read {
        stored.by_address.insert(Arc::as_ptr(&value) as usize, (number, value));
    }
    error.map_or(Ok((state, stored)), Err)
}

/// A chunk of a loop's collected outputs.
///
/// # Errors
/// [`WireError`] where a value cannot be written.
pub fn encode_collected(results: &[(u64, Fields)]) -> Result<Vec<u8>, WireError> {
    super::encode("collected outputs", &results)
}

/// The reverse of [`encode_collected`].
///
/// # Errors
/// [`WireError`] for anything else.
pub fn decode_collected(bytes: &[u8]) -> Result<Vec<(u64, Fields)>, WireError> {
    super::decode("collected outputs", bytes)
}

fn marked(value: &Value) -> Option<u32> {
    let map = value.as_object().filter(|m| m.len() == 1)?;
    u32::try_from(map.get(MARK)?.as_u64()?).ok()
}

/// A value that looks like a mark counts as large, so that it cannot be mistaken for one.
fn is_large(value: &Value) -> bool {
    let mut budget = LARGE_BYTES;
    marked(value).is_some() || !fits(value, &mut budget)
}

fn fits(value: &Value, budget: &mut usize) -> bool {
    let mut spend = |n: usize| {
        let enough = *budget >= n;
        *budget = budget.saturating_sub(n);
        enough
    };
    match value {
        Value::String(text) => spend(text.len() + 2),
        Value::Array(list) => list.iter().all(|v| fits(v, budget)),
        Value::Object(map) => map.iter().all(|(k, v)| {
            *budget = budget.saturating_sub(k.len() + 4);
            *budget > 0 && fits(v, budget)
        }),
        _ => spend(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::{FlowName, Millis, RunId};

    fn state(input: Value) -> RunState {
        let flow = FlowName::new("f").unwrap();
        RunState::new(RunId::new(Millis(1), 2), 3, Millis(4), &flow, Fields::from_value(input), None)
    }

    #[test]
    fn a_large_value_is_stored_once_and_read_back() {
        let long = "x".repeat(5_000);
        let mut first = state(json!({"a": long, "b": 1, "c": {MARK: 0}}));
        let same = first.input.shared("a").unwrap().clone();
        first.input.share("d", same);
        let before = first.clone();
        let mut stored = StoredValues::default();
        let written = encode(&mut first, &mut stored).unwrap();
        assert_eq!(first, before, "writing leaves the state as it is");
        assert_eq!(written.new.len(), 2, "the long text once, and what looks like a mark");
        assert!(written.state.len() < 700, "{}", written.state.len());
        assert!(encode(&mut first, &mut stored).unwrap().new.is_empty(), "already stored");
        let values: BTreeMap<_, _> = written.new.into_iter().collect();
        let (read, _) = decode(&written.state, &values).unwrap();
        assert_eq!(read, before);
        assert!(decode(&written.state, &BTreeMap::new()).unwrap_err().to_string().contains("missing"));
        first.input = Fields::new();
        assert_eq!(encode(&mut first, &mut stored).unwrap().gone.len(), 2);
    }
}
