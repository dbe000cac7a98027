//! What the log keeps behind its newest segment: a base, and the segments since, from which sled can be built anew.
//!
//! Pure, and must never name a segment superfluous that the base does not reflect. Tests: below.

/// Most segments that are kept: each open reads their names.
const SEGMENTS_MAX: usize = 1024;

/// A file of the log by the sequence in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// A segment's first sequence; the sequence that a base reflects.
    pub sequence: u64,
    pub bytes: u64,
}

/// Bases and segments behind the newest one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub base: Option<Piece>,
    /// Oldest first.
    pub segments: Vec<Piece>,
}

impl Kept {
    /// The segment that the base goes on with. Without a base: the first there ever was, behind an empty store.
    pub(crate) fn start(&self) -> u64 {
        self.base.map_or(1, |base| base.sequence + 1)
    }

    /// Whether the log reaches back to its base; `newest` is the newest segment's first sequence.
    pub(crate) fn is_whole(&self, newest: u64) -> bool {
        self.segments.first().map_or(newest, |oldest| oldest.sequence) == self.start()
    }

    /// Whether a new base should be made: it costs what it holds, so the log must have grown by as much.
    pub(crate) fn is_due(&self, newest: u64, segment_bytes: u64) -> bool {
        let base_bytes = self.base.map_or(0, |base| base.bytes);
        !self.is_whole(newest) || self.bytes() > segment_bytes.max(base_bytes) || self.segments.len() >= SEGMENTS_MAX
    }

    /// Whether a closing store should wait for the base that is due.
    pub(crate) fn is_overdue(&self, newest: u64, segment_bytes: u64) -> bool {
        self.is_due(newest, segment_bytes.saturating_mul(2))
    }

    /// Takes out the segments that `base` reflects whole, and answers them.
    pub(crate) fn take_superfluous(&mut self, newest: u64) -> Vec<u64> {
        let start = self.start();
        let ends = self.segments.iter().skip(1).map(|next| next.sequence).chain([newest]);
        let count = ends.take_while(|end| *end <= start).count().min(self.segments.len());
        self.segments.drain(..count).map(|segment| segment.sequence).collect()
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(sequence: u64, bytes: u64) -> Piece {
        Piece { sequence, bytes }
    }

    fn kept(base: Option<u64>, segments: &[u64]) -> Kept {
        let segments = segments.iter().map(|sequence| piece(*sequence, 100)).collect();
        Kept { base: base.map(|sequence| piece(sequence, 150)), segments }
    }

    #[test]
    fn what_a_base_reflects_is_superfluous_and_nothing_else() {
        for (base, segments, newest, gone, whole) in [
            (None, &[][..], 1, &[][..], true),
            (None, &[1, 5], 9, &[], true),
            (None, &[5], 9, &[], false),
            (Some(4), &[1, 5], 9, &[1], true),
            (Some(8), &[1, 5], 9, &[1, 5], true),
            (Some(8), &[3], 9, &[3], true),
            (Some(4), &[], 9, &[], false),
            (Some(6), &[1, 5], 9, &[1], false),
            (Some(0), &[1], 9, &[], true),
        ] {
            let mut kept = kept(base, segments);
            assert_eq!(kept.take_superfluous(newest), gone, "{base:?} {segments:?}");
            assert_eq!(kept.is_whole(newest), whole, "{base:?} {segments:?}");
        }
    }

    #[test]
    fn a_base_is_due_when_the_log_outgrew_it_or_does_not_reach_back() {
        assert!(!kept(None, &[1]).is_due(5, 100));
        assert!(kept(None, &[1, 5]).is_due(9, 100), "200 bytes");
        assert!(!kept(None, &[1, 5]).is_overdue(9, 100));
        assert!(!kept(Some(0), &[1]).is_due(5, 50), "less than the base itself");
        assert!(kept(Some(0), &[1, 5]).is_due(9, 50));
        assert!(kept(None, &[5]).is_due(9, 1000), "it does not reach back");
        let many: Vec<_> = (1..=SEGMENTS_MAX as u64).collect();
        assert!(kept(None, &many).is_due(SEGMENTS_MAX as u64 + 1, u64::MAX));
    }
}
