//! What the authorization server has handed out: clients, codes, grants, tokens, device codes.
//!
//! Pure: the time is an argument and only digests are kept. Must never know HTTP or HTML.
//! Tests: beside each part, and over HTTP in `tests/walk/`.

mod clients;
mod codes;
mod devices;
mod refusal;
mod tokens;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::accounts::Subject;
use crate::limits;
use crate::scopes::Scopes;
use crate::secret::Digest;

pub(crate) use clients::{CLI_CLIENT_ID, Client, ClientKind, registrable_redirect};
pub(crate) use codes::{Authorization, Code};
pub(crate) use devices::{Device, DeviceAnswer};
pub(crate) use refusal::TokenRefusal;
pub use tokens::RevokeKind;
pub(crate) use tokens::{Access, ApiToken, Issued, Refresh};

/// One consent: every token made from it ends when it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) subject: Subject,
    pub(crate) scopes: Scopes,
    pub(crate) ended: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Grants {
    next_id: u64,
    clients: BTreeMap<String, Client>,
    codes: BTreeMap<Digest, Code>,
    grants: BTreeMap<u64, Grant>,
    access: BTreeMap<Digest, Access>,
    refresh: BTreeMap<Digest, Refresh>,
    devices: BTreeMap<Digest, Device>,
    api_tokens: BTreeMap<Digest, ApiToken>,
}

impl Grants {
    pub(crate) fn new() -> Grants {
        Grants {
            next_id: 1,
            clients: BTreeMap::from([(CLI_CLIENT_ID.to_owned(), Client::cli())]),
            codes: BTreeMap::new(),
            grants: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            devices: BTreeMap::new(),
            api_tokens: BTreeMap::new(),
        }
    }

    fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn start_grant(&mut self, client_id: &str, subject: Subject, scopes: Scopes) -> u64 {
        let id = self.next_id();
        self.grants.insert(id, Grant { client_id: client_id.to_owned(), subject, scopes, ended: false });
        id
    }

    fn end_grant(&mut self, id: u64) {
        if let Some(grant) = self.grants.get_mut(&id) {
            grant.ended = true;
        }
        self.access.retain(|_, access| access.grant != id);
    }

    /// Forgets what has expired, and the oldest of what is too many.
    pub(crate) fn prune(&mut self, now_ms: i64) {
        self.codes.retain(|_, code| code.expires_ms + limits::CODE_MEMORY_MS > now_ms);
        self.access.retain(|_, access| access.expires_ms > now_ms);
        self.refresh.retain(|_, refresh| refresh.expires_ms > now_ms);
        self.devices.retain(|_, device| device.expires_ms + limits::CODE_MEMORY_MS > now_ms);
        drop_oldest(&mut self.codes, limits::CODES_MAX, |code| code.expires_ms);
        drop_oldest(&mut self.access, limits::TOKENS_MAX, |access| access.expires_ms);
        drop_oldest(&mut self.refresh, limits::TOKENS_MAX, |refresh| refresh.expires_ms);
        drop_oldest(&mut self.devices, limits::DEVICES_MAX, |device| device.expires_ms);
        let used: std::collections::BTreeSet<u64> = self
            .access
            .values()
            .map(|access| access.grant)
            .chain(self.refresh.values().map(|refresh| refresh.grant))
            .chain(self.codes.values().filter_map(Code::grant))
            .collect();
        self.grants.retain(|id, _| used.contains(id));
    }
}

fn drop_oldest<V>(map: &mut BTreeMap<Digest, V>, most: usize, age: impl Fn(&V) -> i64) {
    let excess = map.len().saturating_sub(most);
    if excess == 0 {
        return;
    }
    let mut ages: Vec<(i64, Digest)> = map.iter().map(|(key, value)| (age(value), key.clone())).collect();
    ages.sort();
    for (_, key) in ages.into_iter().take(excess) {
        map.remove(&key);
    }
}
