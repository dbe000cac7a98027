//! Events that were taken, so that each starts a flow once however often and by whichever way it comes.
//!
//! Must never grow without end: what is old goes, and beyond a number the oldest do.
//! Tests: `tests/hooks.rs`.

use std::collections::HashSet;

use flowdeck_engine::ports::{Delta, Scan, Space};
use flowdeck_model::{FlowHash, Millis};
use parking_lot::Mutex;

use super::take::Arrival;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// How long an event is remembered: longer than any app repeats one by itself.
const KEPT_MS: u64 = 7 * 24 * 3_600_000;
/// Most events remembered.
const SEEN_MAX: usize = 1_000_000;
/// Records that go in one commit.
const BATCH: usize = 1_000;
/// Commits of one sweep; the next one goes on.
const BATCHES_MAX: usize = 100;

const SEEN: &[u8] = b"event/";
const EXPIRES: &[u8] = b"until/";

/// How many there are; `None` before they were counted.
#[derive(Debug, Default)]
pub(in crate::served) struct Seen(Mutex<Option<usize>>);

impl Seen {
    fn add(&self, more: usize) {
        if let Some(count) = &mut *self.0.lock() {
            *count += more;
        }
    }
}

fn seen_key(arrival: &Arrival) -> [u8; 32] {
    let (flow, card, key) = (arrival.listener.name(), &arrival.listener.card, &arrival.key);
    *FlowHash::of(format!("{flow}\0{card}\0{key}").as_bytes()).as_bytes()
}

fn expires_key(until: Millis, of: &[u8]) -> Vec<u8> {
    [EXPIRES, &until.0.max(0).to_be_bytes(), of].concat()
}

fn until(value: &[u8]) -> Option<Millis> {
    Some(Millis(i64::from_be_bytes(*value.first_chunk::<8>()?)))
}

impl Runtime {
    /// Those that were not taken before, each once; the commit that takes them remembers them.
    pub(super) async fn fresh<'a>(
        &self,
        arrivals: &'a [Arrival],
        delta: &mut Delta,
    ) -> Result<Vec<&'a Arrival>, RuntimeError> {
        let (store, now) = (self.engine().store(), self.now());
        let until_then = now.plus(KEPT_MS);
        let mut here = HashSet::new();
        let mut fresh = Vec::new();
        for arrival in arrivals {
            let of = seen_key(arrival);
            if !here.insert(of) {
                continue;
            }
            let key = [SEEN, &of].concat();
            match store.get(Space::Dedupe, &key).await? {
                None => {
                    delta.expect_absent(Space::Dedupe, key.clone());
                }
                Some(before) => {
                    let ends = until(&before).unwrap_or(now);
                    if ends > now {
                        continue;
                    }
                    delta.expect_equals(Space::Dedupe, key.clone(), before);
                    delta.delete(Space::Dedupe, expires_key(ends, &of));
                }
            }
            delta.put(Space::Dedupe, key, until_then.0.to_be_bytes().to_vec());
            delta.put(Space::Dedupe, expires_key(until_then, &of), Vec::new());
            fresh.push(arrival);
        }
        Ok(fresh)
    }

    /// So many more were taken.
    pub(super) fn remembered(&self, more: usize) {
        self.inner.triggers.seen.add(more);
    }

    /// Forgets events that are old, and the oldest where there are too many.
    pub(super) async fn forget_seen(&self) -> Result<(), RuntimeError> {
        let mut count = match *self.inner.triggers.seen.0.lock() {
            Some(count) => count,
            None => usize::MAX,
        };
        if count == usize::MAX {
            count = self.count_seen().await?;
            *self.inner.triggers.seen.0.lock() = Some(count);
        }
        let (store, now) = (self.engine().store(), self.now());
        for _ in 0..BATCHES_MAX {
            let mut scan = Scan::prefix(Space::Dedupe, EXPIRES, BATCH);
            scan.keys_only = true;
            let mut delta = Delta::new(store.epoch());
            let mut gone = 0;
            for (key, _) in store.scan(scan).await? {
                let Some((at, of)) = key[EXPIRES.len()..].split_first_chunk::<8>() else { continue };
                if Millis(i64::from_be_bytes(*at)) > now && count - gone <= SEEN_MAX {
                    break;
                }
                delta.delete(Space::Dedupe, [SEEN, of].concat());
                delta.delete(Space::Dedupe, key);
                gone += 1;
            }
            if gone == 0 {
                return Ok(());
            }
            store.commit(delta).await?;
            count = count.saturating_sub(gone);
            if let Some(kept) = &mut *self.inner.triggers.seen.0.lock() {
                *kept = kept.saturating_sub(gone);
            }
        }
        Ok(())
    }

    async fn count_seen(&self) -> Result<usize, RuntimeError> {
        let (mut count, mut after) = (0, None);
        loop {
            let mut scan = Scan::prefix(Space::Dedupe, EXPIRES, 10 * BATCH);
            (scan.keys_only, scan.after) = (true, after);
            let found = self.engine().store().scan(scan).await?;
            count += found.len();
            after = match found.into_iter().next_back() {
                Some((last, _)) if count <= 2 * SEEN_MAX => Some(last),
                _ => return Ok(count),
            };
        }
    }
}
