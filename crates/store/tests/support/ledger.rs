//! A history with known answers: what was acknowledged, what was refused, what nobody knows.
//!
//! Must never forgive a lost acknowledgement or half a commit.

use std::collections::BTreeMap;

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store, StoreError};

pub(crate) const S: Space = Space::Entries;
pub(crate) const HEAVY_FROM: u64 = 320;
/// Each commit counts here, so that a part of one would show.
const COUNT: Space = Space::Meta;

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// The content after each commit that may be the last: only one can be unknown at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) acknowledged: Content,
    pub(crate) count: u64,
    unknown: Option<Content>,
}

impl Ledger {
    /// The n-th commit of the history: several keys, sizes of every kind, deletions.
    pub(crate) fn delta(epoch: u64, n: u64) -> Delta {
        let mut delta = Delta::new(epoch);
        let size = match n % 30 {
            // Later commits are heavy: sled collects garbage and uses parts of its file again.
            _ if n >= HEAVY_FROM => 60_000 + n as usize % 5_000,
            7 => 9_000,
            19 => 70_000,
            n if n % 5 == 0 => 1_500,
            _ => 40,
        };
        delta.put(S, (n % 41).to_be_bytes(), vec![n as u8; size]);
        delta.put(S, (100 + n % 17).to_be_bytes(), n.to_be_bytes());
        delta.delete(S, (n * 7 % 41 + 1).to_be_bytes());
        delta.put(COUNT, b"count", (n + 1).to_be_bytes());
        delta
    }

    fn after(&self, delta: &Delta) -> Content {
        use flowdeck_engine::ports::store::Op;
        let mut content = self.acknowledged.clone();
        for op in &delta.ops {
            match op {
                Op::Put { space, key, value } if *space == S => drop(content.insert(key.clone(), value.clone())),
                Op::Delete { space, key } if *space == S => drop(content.remove(key)),
                _ => {}
            }
        }
        content
    }

    /// Commits the next delta and writes down the answer.
    pub(crate) async fn commit(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let delta = Self::delta(store.epoch(), self.count);
        let after = self.after(&delta);
        let outcome = store.commit(delta).await;
        match &outcome {
            Ok(()) => {
                self.acknowledged = after;
                self.count += 1;
            }
            // Its outcome is open until the store is read again. After any other error nothing changed.
            Err(StoreError::Poisoned { .. }) if self.unknown.is_none() => self.unknown = Some(after),
            Err(_) => {}
        }
        outcome
    }

    /// Compares with a store that was opened again (or went on), and settles what was unknown.
    pub(crate) async fn verify(&mut self, store: &dyn Store, what: &str) {
        let found: Content = store.scan(Scan::prefix(S, b"", usize::MAX)).await.unwrap().into_iter().collect();
        let count = store.get(COUNT, b"count").await.unwrap();
        let count = count.map_or(0, |count| u64::from_be_bytes(count.try_into().unwrap()));
        if let Some(unknown) = self.unknown.take()
            && count == self.count + 1
        {
            self.acknowledged = unknown;
            self.count = count;
        }
        assert_eq!(count, self.count, "{what}: number of commits");
        let differ = |(key, value): &(&Vec<u8>, &Vec<u8>)| self.acknowledged.get(*key) != Some(*value);
        let other: Vec<_> =
            found.iter().filter(differ).map(|(key, value)| (key, value.len(), &value[..value.len().min(8)])).collect();
        let expected: Vec<_> = other
            .iter()
            .map(|(key, ..)| self.acknowledged.get(*key).map(|value| (value.len(), &value[..value.len().min(8)])))
            .collect();
        let (keys, right) = (found.len(), self.acknowledged.len());
        assert!(found == self.acknowledged, "{what}: {keys} keys of {right}; {other:?}, expected {expected:?}");
    }

    /// Takes the content of a store as its own if it is that after `least` to `most` commits of the history.
    pub(crate) async fn find(&mut self, store: &dyn Store, least: u64, most: u64, what: &str) {
        let count = store.get(COUNT, b"count").await.unwrap();
        let count = count.map_or(0, |count| u64::from_be_bytes(count.try_into().unwrap()));
        assert!((least..=most).contains(&count), "{what}: {count} commits, expected {least} to {most}");
        while self.count < count {
            self.acknowledged = self.after(&Self::delta(0, self.count));
            self.count += 1;
        }
        self.verify(store, what).await;
    }
}
