//! Keys of everything the engine stores.
//!
//! Must never change: they are part of the stored format.
//! Tests: below.

use flowdeck_model::{FlowHash, FlowName, Millis, RunId};

use crate::ports::WaitKey;

/// Record, state, ready mark: the run's sixteen bytes.
#[must_use]
pub fn run(run: RunId) -> Vec<u8> {
    run.to_bytes().to_vec()
}

/// The run a key begins with.
#[must_use]
pub fn run_of(key: &[u8]) -> Option<RunId> {
    key.first_chunk::<16>().map(|b| RunId::from_bytes(*b))
}

/// A block of history by its first entry.
#[must_use]
pub fn entries(run: RunId, first_seq: u64) -> Vec<u8> {
    [&run.to_bytes()[..], &first_seq.to_be_bytes()].concat()
}

/// A large value of a run's state.
#[must_use]
pub fn value(run: RunId, number: u32) -> Vec<u8> {
    [&run.to_bytes()[..], b"v", &number.to_be_bytes()].concat()
}

/// What started a run, where it is large. Unlike the other chunks it belongs to the record and stays with it.
#[must_use]
pub fn given(run: RunId) -> Vec<u8> {
    [&run.to_bytes()[..], b"g"].concat()
}

/// Collected outputs of a loop.
#[must_use]
pub fn collected(run: RunId, frame: u32, number: u32) -> Vec<u8> {
    [&run.to_bytes()[..], b"c", &frame.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// What a key of the chunks names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// A large value, by number.
    Value(u32),
    /// Collected outputs: frame and number.
    Collected(u32, u32),
    /// What started the run.
    Given,
}

/// What a chunk's key says.
#[must_use]
pub fn chunk_of(key: &[u8]) -> Option<Chunk> {
    let (_, rest) = key.split_first_chunk::<16>()?;
    match rest.split_first()? {
        (b'g', []) => Some(Chunk::Given),
        (b'v', rest) => Some(Chunk::Value(u32::from_be_bytes(*rest.first_chunk::<4>()?))),
        (b'c', rest) => {
            let (frame, rest) = rest.split_first_chunk::<4>()?;
            Some(Chunk::Collected(u32::from_be_bytes(*frame), u32::from_be_bytes(*rest.first_chunk::<4>()?)))
        }
        _ => None,
    }
}

/// A due time: sorts by time.
#[must_use]
pub fn timer(due: Millis, run: RunId) -> Vec<u8> {
    [&due.0.max(0).to_be_bytes()[..], &run.to_bytes()].concat()
}

/// Due time and run of a timer's key.
#[must_use]
pub fn timer_of(key: &[u8]) -> Option<(Millis, RunId)> {
    let (due, rest) = key.split_first_chunk::<8>()?;
    Some((Millis(i64::from_be_bytes(*due)), run_of(rest)?))
}

/// All waits for a connection.
pub const CONNECTION_WAITS: &[u8] = b"c";

/// Waits for one thing. The text is hashed where it would be too long for a key.
#[must_use]
pub fn waits_on(on: &WaitKey) -> Vec<u8> {
    [CONNECTION_WAITS, on.0.as_bytes(), &[0]].concat()
}

/// One run's wait for a connection: sorts by what it waits for, then by the registry version it saw.
#[must_use]
pub fn wait(on: &WaitKey, seen: u64, run: RunId) -> Vec<u8> {
    [&waits_on(on)[..], &seen.to_be_bytes(), &run.to_bytes()].concat()
}

/// What a wait's key says.
#[must_use]
pub fn wait_of(key: &[u8]) -> Option<(WaitKey, u64, RunId)> {
    let rest = key.strip_prefix(CONNECTION_WAITS)?;
    let (head, id) = rest.split_last_chunk::<16>()?;
    let (head, seen) = head.split_last_chunk::<8>()?;
    let text = std::str::from_utf8(head.strip_suffix(&[0])?).ok()?;
    Some((WaitKey(text.to_owned()), u64::from_be_bytes(*seen), RunId::from_bytes(*id)))
}

/// A message to a run, in order of arrival.
#[must_use]
pub fn inbox(run: RunId, at: Millis, number: u64) -> Vec<u8> {
    [&run.to_bytes()[..], &at.0.max(0).to_be_bytes(), &number.to_be_bytes()].concat()
}

/// A flow version.
#[must_use]
pub fn flow_version(hash: FlowHash) -> Vec<u8> {
    [b"v", &hash.as_bytes()[..]].concat()
}

/// The published version of a name.
#[must_use]
pub fn flow_name(name: &FlowName) -> Vec<u8> {
    [b"n", name.as_str().as_bytes()].concat()
}

/// How a flow is served: switched on or off, and how far its schedule got.
#[must_use]
pub fn served(name: &FlowName) -> Vec<u8> {
    [SERVED, name.as_str().as_bytes()].concat()
}

/// What the keys of [`served`] begin with.
pub const SERVED: &[u8] = b"s";

/// A caller's idempotency key; hashed, so any text will do.
#[must_use]
pub fn start_key(flow: &FlowName, key: &str) -> Vec<u8> {
    let text = format!("{flow}\0{key}");
    [b"start/", &FlowHash::of(text.as_bytes()).as_bytes()[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_sort() {
        let a = RunId::new(Millis(5), 1);
        let on = WaitKey("slot:okta:f:s".into());
        assert_eq!(wait_of(&wait(&on, 7, a)), Some((on.clone(), 7, a)));
        assert_eq!(timer_of(&timer(Millis(9), a)), Some((Millis(9), a)));
        assert!(timer(Millis(9), a) < timer(Millis(256), a));
        assert!(wait(&on, 7, a) < wait(&on, 256, a));
        assert_eq!(wait_of(b"cx"), None);
    }
}
