//! Where a step is: the cards and iterations that lead to it.
//!
//! Must never depend on time or order of execution: the same step has the same path in every attempt.
//! Tests: below.

use std::fmt;
use std::str::FromStr;

use crate::names::CardId;

/// Names one step inside a run, as in `each_user[17].suspend`.
///
/// ```
/// use flowdeck_model::{CardId, StepPath};
///
/// let path: StepPath = "each_user[17].suspend".parse()?;
/// assert_eq!((path.depth(), path.segments()[0].index), (2, Some(17)));
/// let each = StepPath::root().child(&CardId::new("each_user")?).at(17);
/// assert_eq!(each.child(&CardId::new("suspend")?), path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StepPath(Vec<Segment>);

/// One part of a [`StepPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The card.
    pub card: CardId,
    /// Which iteration of it, where the card is a loop.
    pub index: Option<u64>,
}

/// Deepest nesting of a path.
pub const PATH_DEPTH_MAX: usize = 200;

impl StepPath {
    /// The path of the run itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of these parts, outermost first.
    #[must_use]
    pub fn of(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// The path of `card` directly below this one.
    #[must_use]
    pub fn child(&self, card: &CardId) -> Self {
        let mut segments = Vec::with_capacity(self.0.len() + 1);
        segments.extend_from_slice(&self.0);
        segments.push(Segment { card: card.clone(), index: None });
        Self(segments)
    }

    /// This path with an iteration number on its last part; the root stays the root.
    #[must_use]
    pub fn at(&self, index: u64) -> Self {
        let mut next = self.clone();
        if let Some(last) = next.0.last_mut() {
            last.index = Some(index);
        }
        next
    }

    /// The parts, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// How deep it is; 0 for the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(segment.card.as_str())?;
            if let Some(index) = segment.index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}

/// Why a text is not a step path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a step path; one looks like `each_user[17].suspend`")]
pub struct PathError(pub String);

impl FromStr for StepPath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        let wrong = || PathError(text.chars().take(80).collect());
        if text.is_empty() {
            return Ok(Self::root());
        }
        let mut segments = Vec::new();
        for part in text.split('.') {
            if segments.len() == PATH_DEPTH_MAX {
                return Err(wrong());
            }
            let (card, index) = match part.strip_suffix(']').map(|p| p.split_once('[')) {
                Some(Some((card, index))) => (card, Some(index.parse::<u64>().map_err(|_| wrong())?)),
                Some(None) => return Err(wrong()),
                None => (part, None),
            };
            segments.push(Segment { card: CardId::new(card).map_err(|_| wrong())?, index });
        }
        Ok(Self(segments))
    }
}

impl serde::Serialize for StepPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for StepPath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_back() {
        let each = CardId::new("each_user").unwrap();
        let suspend = CardId::new("suspend").unwrap();
        let path = StepPath::root().child(&each).at(17).child(&suspend);
        assert_eq!(path.to_string(), "each_user[17].suspend");
        assert_eq!(path.to_string().parse::<StepPath>().unwrap(), path);
        for bad in ["a[", "a]", "a[x]", "A", "a..b"] {
            assert!(bad.parse::<StepPath>().is_err(), "{bad}");
        }
    }
}
