//! One lock for each connection and attempt: a renewal, a code or a poll that works once is done once.
//!
//! Must never forget a lock that somebody holds or waits for, nor keep all others for ever.
//! Tests: below, `tests/refresh.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Beyond so many, locks that nobody uses are forgotten.
const KEPT_MAX: usize = 1_024;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The locks by id.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<[u8; 16], Lock>>);

impl Flights {
    /// The lock of this id.
    pub(crate) fn of(&self, id: [u8; 16]) -> Lock {
        let mut locks = self.0.lock();
        if locks.len() > KEPT_MAX {
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        Arc::clone(locks.entry(id).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_in_use_is_never_forgotten_and_the_others_are() {
        let flights = Flights::default();
        let id = |n: usize| (n as u128).to_be_bytes();
        let held = flights.of(id(0));
        for n in 1..3 * KEPT_MAX {
            flights.of(id(n));
            assert!(flights.0.lock().len() <= KEPT_MAX + 1);
        }
        assert!(Arc::ptr_eq(&held, &flights.of(id(0))));
    }
}
