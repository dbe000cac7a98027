//! Slows down who guesses passwords: by name and by address, the same for names that nobody has.
//!
//! Must never grow without bound, nor keep a name or an address as it was typed.
//! Tests: below, `tests/people.rs`.

use std::collections::HashMap;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

/// Failures that cost no waiting.
const FREE_OF_NAME: u32 = 5;
/// Many people may share an address.
const FREE_OF_ADDRESS: u32 = 20;
/// Longest wait after a failure, in milliseconds. Short for a name: nobody shall be able to lock its owner out.
const WAIT_OF_NAME_MAX_MS: u64 = 60_000;
const WAIT_OF_ADDRESS_MAX_MS: u64 = 15 * 60_000;
/// Failures are forgotten after this time without one.
const FORGET_MS: u64 = 60 * 60_000;
/// Most names, and most addresses, that are remembered.
pub(super) const REMEMBERED_MAX: usize = 4_096;
/// Most failures that are written into the audit records in an hour.
const TOLD_MAX: u32 = 1_000;
const HOUR_MS: u64 = 3_600_000;

type Hash = [u8; 32];

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    failures: u32,
    last: u64,
    until: u64,
}

#[derive(Debug, Default)]
struct Counted(HashMap<Hash, Entry>);

/// Failures so far. Times are monotonic milliseconds.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    names: Counted,
    addresses: Counted,
    told: (u64, u32),
}

/// Who tries to sign in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    name: Hash,
    address: Option<Hash>,
}

impl Try {
    pub(super) fn new(name: &str, from: Option<IpAddr>) -> Self {
        Self { name: hash(name.as_bytes()), address: from.map(network) }
    }
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Whoever has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> Hash {
    match address.to_canonical() {
        IpAddr::V4(four) => hash(&four.octets()),
        IpAddr::V6(six) => hash(&six.octets()[..8]),
    }
}

impl Counted {
    fn wait(&self, of: &Hash, now: u64) -> u64 {
        self.0.get(of).map_or(0, |entry| entry.until.saturating_sub(now))
    }

    fn count(&mut self, of: Hash, now: u64, free: u32, max_ms: u64) {
        if !self.0.contains_key(&of) && self.0.len() >= REMEMBERED_MAX {
            self.make_room(now);
        }
        let entry = self.0.entry(of).or_default();
        if now.saturating_sub(entry.last) >= FORGET_MS {
            *entry = Entry::default();
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
        if let Some(over) = entry.failures.checked_sub(free) {
            let wait = 1_000u64.checked_shl(over).unwrap_or(max_ms).min(max_ms);
            entry.until = now + wait;
        }
    }

    /// Forgets what is old, else who has failed least and longest ago.
    fn make_room(&mut self, now: u64) {
        self.0.retain(|_, entry| now.saturating_sub(entry.last) < FORGET_MS);
        if self.0.len() >= REMEMBERED_MAX {
            let least = self.0.iter().min_by_key(|(_, entry)| (entry.failures, entry.last)).map(|(key, _)| *key);
            least.and_then(|key| self.0.remove(&key));
        }
    }

    fn take_back(&mut self, of: &Hash) {
        if let Some(entry) = self.0.get_mut(of) {
            entry.failures = entry.failures.saturating_sub(1);
            entry.until = 0;
            if entry.failures == 0 {
                self.0.remove(of);
            }
        }
    }
}

impl Throttle {
    /// Counts a try as failed before its password is looked at, so that many at once do not all pass.
    ///
    /// # Errors
    /// How long to wait, in milliseconds; such a try is not counted.
    pub(super) fn begin(&mut self, tried: Try, now: u64) -> Result<(), u64> {
        let address = tried.address.map_or(0, |address| self.addresses.wait(&address, now));
        let wait = self.names.wait(&tried.name, now).max(address);
        if wait > 0 {
            return Err(wait);
        }
        self.names.count(tried.name, now, FREE_OF_NAME, WAIT_OF_NAME_MAX_MS);
        if let Some(address) = tried.address {
            self.addresses.count(address, now, FREE_OF_ADDRESS, WAIT_OF_ADDRESS_MAX_MS);
        }
        Ok(())
    }

    /// The try did not fail after all, or was not made.
    pub(super) fn take_back(&mut self, tried: Try) {
        self.names.take_back(&tried.name);
        if let Some(address) = tried.address {
            self.addresses.take_back(&address);
        }
    }

    /// Somebody proved to be who has this name.
    pub(super) fn forget(&mut self, tried: Try) {
        self.take_back(tried);
        self.names.0.remove(&tried.name);
    }

    /// Whether a failure is written down: nobody fills the disk with them.
    pub(super) fn tells(&mut self, now: u64) -> bool {
        let hour = now / HOUR_MS;
        if self.told.0 != hour {
            self.told = (hour, 0);
        }
        self.told.1 += 1;
        self.told.1 <= TOLD_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_name_waits_longer_with_each_failure_and_never_long() {
        let mut throttle = Throttle::default();
        let ada = Try::new("ada", None);
        let mut now = 1;
        for _ in 0..4 {
            throttle.begin(ada, now).unwrap();
        }
        for expected in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            throttle.begin(ada, now).unwrap();
            assert_eq!(throttle.begin(ada, now).unwrap_err(), expected);
            assert_eq!(throttle.begin(ada, now + expected - 1).unwrap_err(), 1);
            now += expected;
        }
        throttle.begin(Try::new("bob", None), now).unwrap();
        throttle.begin(ada, now + FORGET_MS).unwrap();
        throttle.begin(ada, now + FORGET_MS).unwrap();
    }

    #[test]
    fn an_address_is_counted_over_all_names_and_an_ipv6_network_is_one() {
        let mut throttle = Throttle::default();
        for n in 0..20 {
            throttle.begin(Try::new(&format!("n{n}"), from(&format!("2001:db8:0:1::{n:x}"))), 1).unwrap();
        }
        let next = Try::new("other", from("2001:db8:0:1:ffff::1"));
        assert_eq!(throttle.begin(next, 1).unwrap_err(), 1_000);
        throttle.begin(Try::new("other", from("2001:db8:0:2::1")), 1).unwrap();
        throttle.begin(Try::new("other", from("192.0.2.1")), 1).unwrap();
        let mapped = Try::new("x", from("::ffff:192.0.2.1"));
        assert_eq!(Try::new("x", from("192.0.2.1")).address, mapped.address);
    }

    #[test]
    fn a_success_is_no_failure_and_forgets_those_of_its_name() {
        let mut throttle = Throttle::default();
        let ada = Try::new("ada", from("192.0.2.1"));
        for _ in 0..100 {
            throttle.begin(ada, 1).unwrap();
            throttle.forget(ada);
        }
        assert!(throttle.names.0.is_empty() && throttle.addresses.0.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_who_failed_most_stays() {
        let mut throttle = Throttle::default();
        let ada = Try::new("ada", None);
        for _ in 0..5 {
            throttle.begin(ada, 1).unwrap();
        }
        for n in 0..2 * REMEMBERED_MAX {
            throttle.begin(Try::new(&format!("n{n}"), None), 2).unwrap();
        }
        assert_eq!(throttle.names.0.len(), REMEMBERED_MAX);
        assert!(throttle.begin(ada, 2).is_err());
    }

    #[test]
    fn failures_are_written_down_up_to_a_bound_an_hour() {
        let mut throttle = Throttle::default();
        assert_eq!((0..5_000).filter(|_| throttle.tells(1)).count(), 1_000);
        assert!(throttle.tells(HOUR_MS));
    }
}
