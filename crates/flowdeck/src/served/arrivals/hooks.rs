//! Hooks: addresses that apps push their events to, each with the secret that proves who sends.
//!
//! Must never show a secret but once, when it is made here. Tests: `tests/hooks.rs`.

use flowdeck_connections::SecretText;
use flowdeck_engine::EngineError;
use flowdeck_engine::ports::{Delta, Scan, Space};
use flowdeck_engine::wire;
use flowdeck_model::{AppName, ConnectionId, Millis};
use serde::{Deserialize, Serialize};

use super::deliver::Hook;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Most hooks.
const HOOKS_MAX: usize = 1_000;
/// How long the secret before is still taken after a change, so that nothing is refused meanwhile.
const OVERLAP_MS: u64 = 24 * 3_600_000;
/// Longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 1_000;

const HOOK: &str = "hook/";
const DELIVERED: &str = "delivered/";

/// What is stored of a hook. Fields are only ever added, with defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    app: AppName,
    #[serde(default)]
    connection: Option<ConnectionId>,
    /// Sealed.
    #[serde(default)]
    secret: Option<Vec<u8>>,
    /// The one before, sealed, and until when it is taken.
    #[serde(default)]
    before: Option<(Vec<u8>, Millis)>,
    made: Millis,
}

/// A hook, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookView {
    /// Its id, the part of its address that nobody guesses.
    pub id: String,
    /// The app that pushes.
    pub app: AppName,
    /// Only flows whose event card uses this connection, or none yet, are started.
    pub connection: Option<ConnectionId>,
    /// Where the app sends to, below the server's address.
    pub path: String,
    /// How a delivery proves who sends it, in words.
    pub proof: String,
    /// Whether there is a secret: without one nothing is taken.
    pub has_secret: bool,
    /// When it was made.
    pub made: Millis,
    /// When a delivery was taken last.
    pub delivered: Option<Millis>,
}

/// A hook that was made or has a new secret.
#[derive(Debug)]
pub struct MadeHook {
    /// The hook.
    pub hook: HookView,
    /// Its secret where it was made here; it cannot be had again.
    pub secret: Option<SecretText>,
    /// Whether the app makes the secret: it is to be brought here.
    pub app_makes_secret: bool,
}

fn key(id: &str) -> Vec<u8> {
    format!("{HOOK}{id}").into_bytes()
}

/// Marks a hook's delivery in the commit that takes it.
pub(super) fn put_delivered(delta: &mut Delta, id: &str, at: Millis) {
    delta.put(Space::Settings, format!("{DELIVERED}{id}").into_bytes(), at.0.to_be_bytes().to_vec());
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Runtime {
    /// Makes an address for an app's events. Without a secret one is made, where the app does not make it itself.
    ///
    /// # Errors
    /// [`RuntimeError::Setting`] where the app cannot push, or the secret can be none; [`RuntimeError::Store`].
    pub async fn add_hook(
        &self,
        app: &AppName,
        connection: Option<ConnectionId>,
        secret: Option<SecretText>,
    ) -> Result<MadeHook, RuntimeError> {
        if self.hooks().await?.len() >= HOOKS_MAX {
            return Err(RuntimeError::Setting(format!("there are {HOOKS_MAX} hooks already; remove one first")));
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let record = Record { app: app.clone(), connection, secret: None, before: None, made: self.now() };
        self.keep_secret(&id, record, secret, true).await
    }

    /// Gives a hook another secret: this one, or one that is made. The one before is taken for another day. `None`
    /// where there is no such hook.
    ///
    /// # Errors
    /// As [`Runtime::add_hook`].
    pub async fn renew_hook(&self, id: &str, secret: Option<SecretText>) -> Result<Option<MadeHook>, RuntimeError> {
        let Some(mut record) = self.hook_record(id).await? else { return Ok(None) };
        record.before = record.secret.take().map(|before| (before, self.now().plus(OVERLAP_MS)));
        Ok(Some(self.keep_secret(id, record, secret, false).await?))
    }

    /// Removes a hook; what is sent to it afterwards is not taken. False where there is no such hook.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn remove_hook(&self, id: &str) -> Result<bool, RuntimeError> {
        let is_there = self.hook_record(id).await?.is_some();
        let store = self.engine().store();
        let mut delta = Delta::new(store.epoch());
        delta.delete(Space::Settings, key(id));
        delta.delete(Space::Settings, format!("{DELIVERED}{id}").into_bytes());
        if is_there {
            store.commit(delta).await?;
        }
        Ok(is_there)
    }

    /// All hooks.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn hooks(&self) -> Result<Vec<HookView>, RuntimeError> {
        let found = self.engine().store().scan(Scan::prefix(Space::Settings, HOOK.as_bytes(), HOOKS_MAX)).await?;
        let mut hooks = Vec::with_capacity(found.len());
        for (key, bytes) in found {
            let id = String::from_utf8_lossy(&key[HOOK.len()..]).into_owned();
            hooks.push(self.hook_view(&id, &decode(&bytes)?).await?);
        }
        Ok(hooks)
    }

    /// The hook at an address; `None` where there is none.
    ///
    /// # Errors
    /// [`RuntimeError::Store`]; [`RuntimeError::Key`] where its secret does not open.
    pub async fn hook(&self, app: &str, id: &str) -> Result<Option<Hook>, RuntimeError> {
        let Some(record) = self.hook_record(id).await?.filter(|record| record.app.as_str() == app) else {
            return Ok(None);
        };
        let declared = self.cards().apps().app(app);
        let Some(proof) = declared.and_then(|app| app.webhook().cloned()) else { return Ok(None) };
        let before = record.before.as_ref().filter(|(_, until)| *until > self.now()).map(|(before, _)| before);
        let mut secrets = Vec::new();
        for sealed in record.secret.iter().chain(before) {
            secrets.push(self.inner.wired.keys.open_for(&format!("{HOOK}{id}"), sealed)?);
        }
        Ok(Some(Hook { id: id.to_owned(), app: record.app, connection: record.connection, proof, secrets }))
    }

    async fn hook_record(&self, id: &str) -> Result<Option<Record>, RuntimeError> {
        if !is_id(id) {
            return Ok(None);
        }
        let found = self.engine().store().get(Space::Settings, &key(id)).await?;
        found.as_deref().map(decode).transpose()
    }

    async fn keep_secret(
        &self,
        id: &str,
        mut record: Record,
        given: Option<SecretText>,
        is_new: bool,
    ) -> Result<MadeHook, RuntimeError> {
        let app = &record.app;
        let proof = self.cards().apps().app(app.as_str()).and_then(|app| app.webhook().cloned());
        let Some(proof) = proof else {
            let what = format!("{app} pushes no events; `flowdeck apps show {app}` lists its events");
            return Err(RuntimeError::Setting(what));
        };
        if given.as_ref().is_some_and(|given| given.expose().len() > SECRET_BYTES_MAX || !proof.takes(given.expose())) {
            let what = format!("this can be no secret of {app} ({}); copy it whole, without spaces", proof.words());
            return Err(RuntimeError::Setting(what));
        }
        let app_makes_secret = proof.app_makes_secret();
        let keys = &self.inner.wired.keys;
        let made = (given.is_none() && !app_makes_secret).then(|| keys.fresh_token());
        let secret = given.as_ref().or(made.as_ref());
        if secret.is_none() && !is_new {
            let what = format!("{app} makes the secret itself: copy it from there and bring it here");
            return Err(RuntimeError::Setting(what));
        }
        record.secret = secret.map(|secret| keys.seal_for(&format!("{HOOK}{id}"), secret));
        let store = self.engine().store();
        let mut delta = Delta::new(store.epoch());
        delta.put(Space::Settings, key(id), wire::encode("hook", &record).map_err(EngineError::from)?);
        store.commit(delta).await?;
        Ok(MadeHook { hook: self.hook_view(id, &record).await?, secret: made, app_makes_secret })
    }

    async fn hook_view(&self, id: &str, record: &Record) -> Result<HookView, RuntimeError> {
        let delivered = self.engine().store().get(Space::Settings, format!("{DELIVERED}{id}").as_bytes()).await?;
        let at = |bytes: Vec<u8>| Some(Millis(i64::from_be_bytes(*bytes.first_chunk::<8>()?)));
        let proof = self.cards().apps().app(record.app.as_str()).and_then(|app| Some(app.webhook()?.words()));
        Ok(HookView {
            id: id.to_owned(),
            app: record.app.clone(),
            connection: record.connection,
            path: format!("/hooks/{}/{id}", record.app),
            proof: proof.unwrap_or_else(|| "the app pushes no events any more".into()),
            has_secret: record.secret.is_some(),
            made: record.made,
            delivered: delivered.and_then(at),
        })
    }
}

fn decode(bytes: &[u8]) -> Result<Record, RuntimeError> {
    Ok(wire::decode("hook", bytes).map_err(EngineError::from)?)
}
