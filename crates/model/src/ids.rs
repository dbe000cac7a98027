//! Ids as types: each has its own prefix in text, so a wrong id fails when it is parsed.
//!
//! Must never take time or randomness by itself; the caller passes both.
//! Tests: below.

use std::fmt;
use std::str::FromStr;

use crate::time::Millis;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id; one looks like `{prefix}_` and 26 letters and digits")]
pub struct IdError {
    /// What was given (shortened).
    pub text: String,
    /// What kind of id was expected.
    pub kind: &'static str,
    /// Its prefix.
    pub prefix: &'static str,
}

fn encode(value: u128) -> String {
    let mut out = [0u8; 26];
    let mut rest = value;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != 26 {
        return None;
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|c| *c == byte)? as u128;
        if value >> 123 != 0 {
            return None;
        }
        value = (value << 5) | digit;
    }
    Some(value)
}

macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        ///
        /// 48 bits of milliseconds, then 80 random bits: ids sort by the time they were made.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The text form's prefix.
            pub const PREFIX: &'static str = $prefix;

            /// An id made at `now` with 80 of the given random bits.
            #[must_use]
            pub fn new(now: Millis, random: u128) -> Self {
                let ms = u128::from(now.0.max(0).unsigned_abs()) & ((1 << 48) - 1);
                Self((ms << 80) | (random & ((1 << 80) - 1)))
            }

            /// The id with these bytes (big-endian).
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            /// Sixteen bytes, big-endian, so that they sort like the ids.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// When it was made.
            #[must_use]
            pub fn made_at(self) -> Millis {
                Millis(i64::try_from(self.0 >> 80).unwrap_or(0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.chars().take(40).collect(), kind: $kind, prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

define_id!(
    /// Names one execution of a flow.
    ///
    /// ```
    /// use flowdeck_model::{Millis, RunId};
    ///
    /// let run = RunId::new(Millis(1_000), 7);
    /// assert_eq!((run.to_string().parse(), run.made_at()), (Ok(run), Millis(1_000)));
    /// assert!("con_01ka0000000000000000000000".parse::<RunId>().is_err());
    /// ```
    RunId, "run", "run"
);
define_id!(
    /// Names a connection for ever; nicknames only find it.
    ConnectionId, "con", "connection"
);
define_id!(
    /// Names a connect prompt.
    PromptId, "prm", "prompt"
);
define_id!(
    /// Names one attempt to connect.
    AttemptId, "att", "attempt"
);

/// SHA-256 over a flow's canonical form: names one version of one flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowHash([u8; 32]);

impl FlowHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The raw digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From a raw digest.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for FlowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for FlowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FlowHash {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError {
            text: text.chars().take(40).collect(),
            kind: "flow version",
            prefix: "sha256",
        })?;
        Ok(Self(bytes))
    }
}

impl serde::Serialize for FlowHash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for FlowHash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let run = RunId::new(Millis(1), 7).to_string();
        assert!(run.parse::<RunId>().is_ok());
        assert!(run.parse::<ConnectionId>().is_err());
        assert!("run_zz".parse::<RunId>().is_err());
        assert!("run_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<RunId>().is_err(), "above 128 bits");
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(ms in 0i64..(1 << 47), random: u128) {
            let id = RunId::new(Millis(ms), random);
            prop_assert_eq!(id.to_string().parse::<RunId>().unwrap(), id);
            prop_assert_eq!(RunId::from_bytes(id.to_bytes()), id);
            prop_assert_eq!(id.made_at(), Millis(ms));
        }
    }
}
