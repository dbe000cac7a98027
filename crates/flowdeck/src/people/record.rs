//! What is stored of people, and where.
//!
//! Must never be shown or printed as it is: views are made beside. Fields are only ever added, with defaults.
//! Tests: `tests/people.rs`.

use flowdeck_engine::EngineError;
use flowdeck_engine::ports::{Scan, Space};
use flowdeck_engine::wire;
use flowdeck_model::Millis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::People;
use super::names::{Area, PersonName, Role};
use crate::error::RuntimeError;

/// Where all of it is kept.
pub(super) const SPACE: Space = Space::Settings;
const USER: &[u8] = b"people/u/";
const SESSION: &[u8] = b"people/s/";
const TOKEN: &[u8] = b"people/t/";

/// A user. Key: the name.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct UserRecord {
    /// Random; somebody who gets the name of a removed user gets nothing else of theirs.
    pub(super) id: String,
    pub(super) name: PersonName,
    pub(super) role: Role,
    /// PHC string.
    pub(super) hash: String,
    /// Raised when every session must end.
    pub(super) epoch: u64,
    pub(super) created: Millis,
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default)]
    pub(super) signed_in: Option<Millis>,
}

/// A session. Key: SHA-256 of its id.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SessionRecord {
    pub(super) user: String,
    pub(super) name: PersonName,
    pub(super) epoch: u64,
    pub(super) created: Millis,
    pub(super) seen: Millis,
}

/// An API token. Key: its SHA-256.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct TokenRecord {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) owner: PersonName,
    pub(super) role: Role,
    /// Empty: all.
    #[serde(default)]
    pub(super) scopes: Vec<Area>,
    pub(super) created: Millis,
    pub(super) expires: Millis,
    /// The day of its last use, as its first millisecond.
    #[serde(default)]
    pub(super) used: Option<Millis>,
}

/// A kind of record: where it is kept, how many there may be.
pub(super) trait Kept: Serialize + DeserializeOwned {
    const WHAT: &'static str;
    const PREFIX: &'static [u8];
    const MAX: usize;
}

impl Kept for UserRecord {
    const WHAT: &'static str = "user";
    const PREFIX: &'static [u8] = USER;
    const MAX: usize = 1_000;
}

impl Kept for SessionRecord {
    const WHAT: &'static str = "session";
    const PREFIX: &'static [u8] = SESSION;
    const MAX: usize = 10_000;
}

impl Kept for TokenRecord {
    const WHAT: &'static str = "token";
    const PREFIX: &'static [u8] = TOKEN;
    const MAX: usize = 1_000;
}

pub(super) fn key<K: Kept>(of: &[u8]) -> Vec<u8> {
    [K::PREFIX, of].concat()
}

pub(super) fn encode<K: Kept>(record: &K) -> Result<Vec<u8>, RuntimeError> {
    Ok(wire::encode(K::WHAT, record).map_err(EngineError::from)?)
}

impl People {
    /// One record, and the bytes it was read from.
    pub(super) async fn read<K: Kept>(&self, of: &[u8]) -> Result<Option<(K, Vec<u8>)>, RuntimeError> {
        let Some(bytes) = self.runtime.engine().store().get(SPACE, &key::<K>(of)).await? else { return Ok(None) };
        let record = wire::decode(K::WHAT, &bytes).map_err(EngineError::from)?;
        Ok(Some((record, bytes)))
    }

    /// All records of a kind with their keys, in the order of their keys.
    pub(super) async fn all<K: Kept>(&self) -> Result<Vec<(Vec<u8>, K)>, RuntimeError> {
        // One more than may be: nothing hides behind the bound.
        let found = self.runtime.engine().store().scan(Scan::prefix(SPACE, K::PREFIX, K::MAX + 1)).await?;
        let decode = |(key, bytes): (Vec<u8>, Vec<u8>)| Ok((key, wire::decode(K::WHAT, &bytes)?));
        let all: Result<_, wire::WireError> = found.into_iter().map(decode).collect();
        Ok(all.map_err(EngineError::from)?)
    }

    pub(super) async fn user(&self, name: &PersonName) -> Result<Option<UserRecord>, RuntimeError> {
        Ok(self.read::<UserRecord>(name.as_str().as_bytes()).await?.map(|(record, _)| record))
    }
}
