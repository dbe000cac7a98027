//! A set of numbers kept as ranges: which iterations of a loop are done.
//!
//! Must stay small while numbers arrive nearly in order.
//! Tests: below.

use serde::{Deserialize, Serialize};

/// Numbers as sorted, disjoint, half-open ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds a number. Answers whether it was new.
    pub fn add(&mut self, n: u64) -> bool {
        let at = self.0.partition_point(|(_, end)| *end < n);
        match self.0.get_mut(at) {
            Some((start, end)) if *start <= n && n < *end => return false,
            Some((_, end)) if *end == n => *end += 1,
            Some((start, _)) if *start == n + 1 => *start = n,
            _ => self.0.insert(at, (n, n + 1)),
        }
        if let (Some(left), Some(right)) = (self.0.get(at).copied(), self.0.get(at + 1).copied())
            && left.1 == right.0
        {
            self.0[at].1 = right.1;
            self.0.remove(at + 1);
        }
        true
    }

    /// Whether the number is in the set.
    #[must_use]
    pub fn has(&self, n: u64) -> bool {
        let at = self.0.partition_point(|(_, end)| *end <= n);
        self.0.get(at).is_some_and(|(start, _)| *start <= n)
    }

    /// How many numbers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// How many ranges; what it costs to store.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(numbers in proptest::collection::vec(0u64..40, 0..60)) {
            let mut ranges = Ranges::default();
            let mut set = BTreeSet::new();
            for n in numbers {
                prop_assert_eq!(ranges.add(n), set.insert(n));
            }
            prop_assert_eq!(ranges.count(), set.len() as u64);
            for n in 0..41 {
                prop_assert_eq!(ranges.has(n), set.contains(&n));
            }
            prop_assert!(ranges.0.windows(2).all(|w| w[0].1 < w[1].0), "{:?}", ranges);
        }
    }
}
