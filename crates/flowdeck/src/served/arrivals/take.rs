//! Takes events: each starts its flow, once, in one commit with what else must be durable with them.
//!
//! Must never start an event again, nor return before everything is durable.
//! Tests: `tests/hooks.rs`.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use flowdeck_engine::ports::{Delta, StoreError};
use flowdeck_engine::{EngineError, Start};
use flowdeck_model::{Fields, RunId, Value};

use super::listeners::Listener;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Most runs that start in one commit.
const STARTS_MAX: usize = 10_000;
/// About how much their events hold at most, in bytes.
const BYTES_MAX: usize = 32 << 20;
/// A commit that meets another one is made again; nobody takes the same events this often at once.
const TRIES_MAX: usize = 100;

/// An event for a flow.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) listener: Arc<Listener>,
    /// Names it for ever.
    pub(super) key: String,
    pub(super) fields: Fields,
}

impl Arrival {
    fn start(&self) -> Start {
        Start { event: Some(self.fields.clone()), ..Start::new(self.listener.flow.clone(), Fields::new()) }
    }
}

impl Runtime {
    /// Starts what was not taken before, or only remembers it (`quiet`); `with` adds to the last commit. Answers the runs.
    pub(super) async fn take(
        &self,
        arrivals: &[Arrival],
        quiet: bool,
        with: impl Fn(&mut Delta),
    ) -> Result<Vec<RunId>, RuntimeError> {
        let mut parts: VecDeque<Range<usize>> = parts(arrivals).into();
        let mut runs = Vec::new();
        let mut tries = 0;
        while let Some(part) = parts.pop_front() {
            let mut delta = Delta::new(self.engine().store().epoch());
            let fresh = self.fresh(&arrivals[part.clone()], &mut delta).await?;
            let new = fresh.len();
            let starts: Vec<Start> = fresh.into_iter().filter(|_| !quiet).map(Arrival::start).collect();
            if parts.is_empty() {
                with(&mut delta);
            }
            match self.engine().start_all(&starts, delta).await {
                Ok(started) => {
                    self.remembered(new);
                    runs.extend(started);
                }
                // The same events come by another way at this moment: what those started shows in the next look.
                Err(EngineError::Store(StoreError::Conflict)) if tries < TRIES_MAX => {
                    tries += 1;
                    parts.push_front(part);
                }
                Err(EngineError::Store(StoreError::TooLarge { .. })) if part.len() > 1 => {
                    let half = part.start + part.len() / 2;
                    parts.push_front(half..part.end);
                    parts.push_front(part.start..half);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(runs)
    }
}

/// Parts that fit into a commit each; at least one.
fn parts(arrivals: &[Arrival]) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, arrival) in arrivals.iter().enumerate() {
        let own = size(&arrival.fields);
        if at - start >= STARTS_MAX || at > start && bytes + own > BYTES_MAX {
            parts.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += own;
    }
    parts.push(start..arrivals.len());
    parts
}

/// Bytes of the fields as JSON.
fn size(fields: &Fields) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    for (key, value) in fields.iter() {
        count.0 += key.len();
        let value: &Value = value;
        // Counting cannot fail.
        serde_json::to_writer(&mut count, value).ok();
    }
    count.0
}
